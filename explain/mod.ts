/**
 * The lesson, run live: topics, what they run on, and how a report is shown.
 *
 * @module
 */

export { type LaboratoryOptions, openLaboratory } from "./laboratory.ts";
export { type PlotDrawer, plotDrawer } from "./plot_svg.ts";
export { type PageLinks, renderHtml, renderIndex } from "./render_html.ts";
export { renderJson } from "./render_json.ts";
export { renderText, type TextOptions } from "./render_text.ts";
export type { Block, Claim, Formula, Report, Series } from "./report.ts";
export { withLines } from "./source_line.ts";
export type { Laboratory, Topic } from "./topic.ts";
export { type TopicEntry, TOPICS } from "./topics.ts";
