/** Style of the page, with the colours of the web app (`web/src/ui/base.css`). */
export const DOCS_STYLE = `:root {
  color-scheme: light dark;
  --text: light-dark(#17211f, #e4ebe9);
  --muted: light-dark(#55625f, #a3b1ae);
  --line: light-dark(#d5dddb, #2f3b39);
  --surface: light-dark(#ffffff, #161d1c);
  --sunken: light-dark(#eef2f1, #0f1514);
  --ground: light-dark(#f5f7f6, #0e1413);
  --accent: light-dark(#0f766e, #2dd4bf);
  --mono: ui-monospace, "SF Mono", Menlo, Consolas, monospace;
  font: 1rem / 1.5 system-ui, sans-serif;
  scroll-padding-top: 1rem;
}
*, ::before, ::after { box-sizing: border-box; }
body {
  display: grid;
  grid-template: "header" auto "nav" auto "main" 1fr / minmax(0, 1fr);
  gap: 1.5rem 3rem;
  max-width: 80rem;
  min-width: 20rem;
  margin: 0 auto;
  padding: 1.5rem 1rem 4rem;
  overflow-wrap: anywhere;
  color: var(--text);
  background: var(--ground);
}
h1, h2, h3, h4, p, ul, dl, dd, pre { margin: 0; }
h1 { font-size: 1.5rem; line-height: 1.25; letter-spacing: -0.015em; }
h2 { font-size: 1.25rem; }
h3 { font-size: 1.0625rem; }
h4 { margin-top: 0.5rem; font-size: 0.875rem; }
code, pre { font-family: var(--mono); font-size: 0.8125rem; }
a { color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
ul { padding-left: 1.25rem; }
.skip { position: absolute; left: 1rem; top: -4rem; padding: 0.5rem 1rem; background: var(--surface); }
.skip:focus { top: 0.5rem; }
header { grid-area: header; display: flex; flex-wrap: wrap; gap: 0.25rem 1.5rem; align-items: baseline; }
header p { display: flex; flex-wrap: wrap; gap: 0.25rem 1rem; }
nav { grid-area: nav; font-size: 0.875rem; }
nav ul { display: grid; gap: 0.25rem; padding: 0; list-style: none; }
nav ul ul { display: none; padding-left: 0.75rem; }
nav a { display: inline-block; padding: 0.125rem 0; text-decoration: none; }
nav a:hover { text-decoration: underline; }
main { grid-area: main; display: grid; gap: 3rem; min-width: 0; }
section { display: grid; gap: 1rem; grid-template-columns: minmax(0, 1fr); }
section > p, article > p, article > ul, dd { max-width: 44rem; }
article {
  display: grid;
  grid-template-columns: minmax(0, 1fr);
  gap: 0.75rem;
  padding: 1.25rem;
  border: 1px solid var(--line);
  border-radius: 0.75rem;
  background: var(--surface);
}
pre { padding: 0.75rem 1rem; border: 1px solid var(--line); border-radius: 0.5rem; white-space: pre-wrap; background: var(--sunken); }
.name, .access, .rules, .none, .type { color: var(--muted); }
.access, .none, .type { font-size: 0.875rem; }
.verbs, .tag { font-size: 0.75rem; font-weight: 600; }
.verbs { color: var(--accent); }
.tag { padding: 0.0625rem 0.375rem; border: 1px solid var(--line); border-radius: 0.375rem; }
.fields { border-top: 1px solid var(--line); }
.fields > div { display: grid; gap: 0.25rem; padding: 0.625rem 0; border-bottom: 1px solid var(--line); }
.fields dd { display: grid; gap: 0.25rem; }
.fields dd ul, .rules { color: var(--muted); font-size: 0.875rem; }
.fields dd:empty { display: none; }
.fields dt code { font-weight: 600; }
@media (min-width: 60rem) {
  body { grid-template: "header header" auto "nav main" 1fr / 15rem minmax(0, 1fr); padding-inline: 2rem; }
  nav { position: sticky; top: 0; align-self: start; max-height: 100vh; padding-block: 1rem; overflow-y: auto; }
  nav ul ul { display: grid; }
  .fields > div { grid-template-columns: minmax(0, 2fr) minmax(0, 3fr); gap: 1rem; }
}
`;
