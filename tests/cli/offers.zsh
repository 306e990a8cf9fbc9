# Prints what zsh offers for each of the arguments behind the first, the folder that holds _latent:
# a line "== ARGUMENT", then one line an offer.
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "PROMPT= RPROMPT=; fpath=($1 \$fpath); autoload -Uz compinit; compinit -u -D"
zpty -w z 'compadd() {
  if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then builtin compadd "$@"; return $?; fi
  typeset -a __hits
  builtin compadd -A __hits "$@"
  print -rC1 -- "" HIT:$^__hits
  builtin compadd "$@"
}
typeset -i asked=0
answered() { print; print -r -- "END$((++asked))."; BUFFER=; }
zle -N answered
bindkey "^I" complete-word
bindkey "^T" answered
print READY$((40 + 2))'
seen= line=
until [[ $seen == *READY42* ]] { zpty -r z line; seen+=$line }
n=0
for q in "${@:2}"; do
  zpty -n -w z "$q"$'\t\C-t'
  seen=
  (( n++ ))
  until [[ $seen == *END$n.* ]] { zpty -r z line || break; seen+=$line }
  print -r -- "== $q"
  print -r -- $seen | tr -d '\r' | sed -n 's/^HIT://p' | sort -u
done
zpty -d z
