import { Fragment } from "react";

/** Text that breaks after its separators, such as an e-mail address after "@", rather than within a word. */
export function Breakable({ text }: { text: string }) {
  const parts = text.split(/(?<=[@._+-])(?=[^@._+-])/);
  return parts.map((part, index) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: a part's place is all that tells it from the others
    <Fragment key={`${index} ${part}`}>
      {index > 0 && <wbr />}
      {part}
    </Fragment>
  ));
}
