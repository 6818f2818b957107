/**
 * Shells, each with a script that asks the command for possible next words. Without an answer, the shell completes file
 * names.
 */
export const completionScripts = {
  bash: `_rollcall() {
  local word rest
  COMPREPLY=()
  while IFS=$'\\t' read -r word rest; do
    COMPREPLY+=("$word")
  done < <(rollcall complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o bashdefault -o default -F _rollcall rollcall
`,
  zsh: `#compdef rollcall
_rollcall() {
  local word rest
  local -a candidates
  rollcall complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null | while IFS=$'\\t' read -r word rest; do
    candidates+=("\${word//:/\\\\:}:$rest")
  done
  if (( \${#candidates} )); then _describe rollcall candidates; else _files; fi
}
if [[ $funcstack[1] == _rollcall ]]; then _rollcall; else compdef _rollcall rollcall; fi
`,
  fish: `function __rollcall_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  set -l found (rollcall complete -- $words[2..] "$current" 2>/dev/null)
  if test (count $found) -gt 0
    printf '%s\\n' $found
  else
    __fish_complete_path "$current"
  end
end
complete -c rollcall -f -a '(__rollcall_complete)'
`,
} as const;
