/** Piece of HTML, with its values escaped. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type HtmlValue = Html | string | number | undefined | readonly HtmlValue[];

/** Template tag for HTML. It escapes values, unless they are HTML already; undefined renders nothing. */
export function html(parts: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  let text = parts[0] ?? "";
  for (const [index, value] of values.entries()) text += toText(value) + (parts[index + 1] ?? "");
  return new Html(text);
}

function toText(value: HtmlValue): string {
  if (value === undefined) return "";
  if (value instanceof Html) return value.text;
  if (typeof value === "object") return value.map(toText).join("");
  return escapeHtml(String(value));
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** Joins values with a separator, a text or an element. */
export function join(values: readonly HtmlValue[], separator: HtmlValue): HtmlValue[] {
  return values.flatMap((value, index) => (index === 0 ? [value] : [separator, value]));
}

/** Renders a comment: paragraphs, lists of lines that begin with "- ", and code in backticks. */
export function prose(text: string | undefined): Html {
  const blocks = (text ?? "").split(/\n{2,}/).filter((block) => block.trim() !== "");
  return html`${blocks.map((block) => {
    const lines = block.split("\n");
    if (!lines.every((line) => line.startsWith("- "))) return html`<p>${inline(block)}</p>\n`;
    return html`<ul>${lines.map((line) => html`<li>${inline(line.slice(2))}</li>`)}</ul>\n`;
  })}`;
}

/** Renders code in backticks within a text. */
export function inline(text: string): Html {
  const parts = text.split(/`([^`\n]+)`/);
  return html`${parts.map((part, index) => (index % 2 === 1 ? html`<code>${part}</code>` : part))}`;
}
