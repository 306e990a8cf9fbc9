/**
 * Opens every page of a course in headless Chromium and says what is wrong with it: errors in the
 * console, requests to anywhere, contents wider than a phone or a screen, what axe finds, dark and
 * light.
 *
 *     deno run -A cli.ts explain --all --html course/
 *     deno run -A scripts/check_pages.ts course/ [SCREENSHOTS/]
 *
 * Needs a Chromium in PATH, or its path in CHROMIUM. Exits with 1 if anything is wrong.
 */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { Browser, type Tab } from "./check_pages_browser.ts";

/** Widths of a phone and a screen, in CSS pixels. */
const WIDTHS = [360, 1440];
const SCHEMES = ["light", "dark"] as const;

/** The accessibility checker's own source, from its package. */
async function axeSource(): Promise<string> {
  const { default: axe } = await import("npm:axe-core@4.11.0");
  return axe.source;
}

async function checkPage(tab: Tab, url: string, axe: string, shots?: string): Promise<string[]> {
  const problems: string[] = [];
  for (const scheme of SCHEMES) {
    for (const width of WIDTHS) {
      const say = (what: string) => problems.push(`${scheme}, ${width} px: ${what}`);
      const { errors, requests } = await tab.open(url, { width, scheme });
      errors.forEach((text) => say(`console: ${text}`));
      requests.forEach((address) => say(`request: ${address}`));
      const over = await tab.evaluate("document.documentElement.scrollWidth - innerWidth");
      if (Number(over) > 0) say(`contents are ${over} px too wide`);
      if (shots) {
        const name = url.split("/").at(-1)!.replace(/\.html$/, "");
        await Deno.writeFile(`${shots}/${name}-${scheme}-${width}.png`, await tab.screenshot());
      }
      await tab.evaluate(axe);
      const found = await tab.evaluate(
        `axe.run().then(({ violations }) => JSON.stringify(violations.map(({ id, nodes }) =>
           id + ": " + nodes.map(({ target }) => target.join(" ")).slice(0, 3).join(", "))))`,
      );
      for (const violation of JSON.parse(String(found)) as string[]) say(`axe: ${violation}`);
    }
  }
  return problems;
}

if (import.meta.main) {
  const [folder, shots] = Deno.args;
  if (folder === undefined) {
    console.error("Usage: check_pages.ts FOLDER [SCREENSHOTS]");
    Deno.exit(2);
  }
  if (shots) await Deno.mkdir(shots, { recursive: true });
  const pages = [...Deno.readDirSync(folder)].map(({ name }) => name)
    .filter((name) => name.endsWith(".html")).sort();
  const axe = await axeSource();
  await using browser = await Browser.start(Deno.env.get("CHROMIUM") ?? "chromium");
  let wrong = 0;
  for (const page of pages) {
    const tab = await browser.tab();
    const url = pathToFileURL(resolve(folder, page)).href;
    const problems = await checkPage(tab, url, axe, shots);
    await tab.close();
    wrong += problems.length;
    console.log(`${page}: ${problems.length === 0 ? "ok" : `\n  ${problems.join("\n  ")}`}`);
  }
  console.log(`${pages.length} pages, ${wrong} problems`);
  if (wrong > 0) Deno.exitCode = 1;
}
