import "./palette.css";
import { Dialog } from "@base-ui/react/dialog";
import { type KeyboardEvent, useState } from "react";
import { Breakable } from "../ui/breakable.tsx";
import { useEntries } from "./use-entries.ts";

const OPTION_ID = (index: number) => `palette-${index}`;

/** Finds a page, an action or a user by a few letters, and goes there. */
export function Palette({ onClose }: { onClose(): void }) {
  const [text, setText] = useState("");
  const [chosen, setChosen] = useState(0);
  const entries = useEntries(text);
  const at = Math.min(chosen, entries.length - 1);
  const run = (index: number) => {
    const entry = entries[index];
    if (!entry) return;
    onClose();
    entry.run();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) setChosen((at + step + entries.length) % Math.max(entries.length, 1));
    else if (event.key === "Enter") run(at);
    else return;
    event.preventDefault();
  };
  return (
    <Dialog.Root open onOpenChange={(open) => !open && onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="palette-backdrop" />
        <Dialog.Popup className="palette" aria-label="Go to">
          <input
            role="combobox"
            aria-label="Page, action or user"
            aria-expanded={entries.length > 0}
            aria-controls="palette-entries"
            aria-activedescendant={at >= 0 ? OPTION_ID(at) : undefined}
            aria-autocomplete="list"
            placeholder="Go to a page, an action or a user"
            autoComplete="off"
            spellCheck={false}
            maxLength={254}
            value={text}
            onChange={({ target }) => {
              setText(target.value);
              setChosen(0);
            }}
            onKeyDown={onKeyDown}
          />
          <div id="palette-entries" role="listbox" aria-label="Found" tabIndex={-1}>
            {entries.map(({ key, title, kind }, index) => (
              // biome-ignore lint/a11y/useKeyWithClickEvents: the field above has the focus and takes the keys
              <div
                key={key}
                id={OPTION_ID(index)}
                role="option"
                tabIndex={-1}
                aria-selected={index === at}
                onMouseMove={() => setChosen(index)}
                onClick={() => run(index)}
              >
                <Breakable text={title} /> <span className="kind">{kind}</span>
              </div>
            ))}
          </div>
          <p className="palette-empty" role="status">
            {entries.length === 0 && "Nothing is called that."}
          </p>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
