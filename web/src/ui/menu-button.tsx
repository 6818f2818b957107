import "./menu-button.css";
import { type KeyboardEvent, useLayoutEffect, useRef, useState } from "react";

export interface MenuAction {
  readonly label: string;
  /** Whether the action is unavailable at the moment; it is still shown. */
  readonly isOff?: boolean;
  /** Whether the action destroys something. */
  readonly isDanger?: boolean;
  run(): void;
}

export interface MenuButtonProps {
  label: string;
  actions: readonly MenuAction[];
}

/** Room below the button, in pixels. With less, the menu opens above it. */
const NEEDED_ROOM = 200;

/**
 * Button that opens a menu of actions, with the keys of WAI-ARIA's menu button pattern. It is our own, since a table
 * has one in each row, and a library's menu would be a fifth of the page's size.
 */
export function MenuButton({ label, actions }: MenuButtonProps) {
  /** Index of the item that gets the focus first, -1 for the last one; undefined while the menu is closed. */
  const [first, setFirst] = useState<number>();
  const trigger = useRef<HTMLButtonElement>(null);
  const menu = useRef<HTMLDivElement>(null);
  const isOpen = first !== undefined;
  const items = () => [...(menu.current?.querySelectorAll<HTMLElement>("[role=menuitem]") ?? [])];
  useLayoutEffect(() => {
    if (first === undefined || !menu.current || !trigger.current) return;
    const room = innerHeight - trigger.current.getBoundingClientRect().bottom;
    menu.current.dataset.side = room < NEEDED_ROOM ? "above" : "below";
    [...menu.current.querySelectorAll<HTMLElement>("[role=menuitem]")].at(first)?.focus({ preventScroll: true });
  }, [first]);

  const close = () => {
    setFirst(undefined);
    // Focus the button first: a dialog that the action opens then returns the focus to it.
    trigger.current?.focus();
  };
  const onTriggerKey = (event: KeyboardEvent) => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    event.preventDefault();
    setFirst(event.key === "ArrowDown" ? 0 : -1);
  };
  const onMenuKey = (event: KeyboardEvent) => {
    const all = items();
    const at = all.indexOf(event.target as HTMLElement);
    const next = keyTarget(event.key, at, all);
    if (event.key === "Escape") close();
    else if (next) next.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: it only notices that the focus leaves the menu
    <div
      className="menu-button"
      onBlur={({ currentTarget, relatedTarget }) => {
        if (!currentTarget.contains(relatedTarget)) setFirst(undefined);
      }}
    >
      <button
        ref={trigger}
        type="button"
        className="icon"
        aria-haspopup="menu"
        aria-expanded={isOpen}
        aria-label={label}
        onClick={() => (isOpen ? close() : setFirst(0))}
        onKeyDown={onTriggerKey}
      >
        <svg viewBox="0 0 16 16" aria-hidden="true">
          <path d="M3 8h.01M8 8h.01M13 8h.01" />
        </svg>
      </button>
      {isOpen && (
        <div ref={menu} className="menu" role="menu" tabIndex={-1} aria-label={label} onKeyDown={onMenuKey}>
          {actions.map(({ label, isOff = false, isDanger = false, run }) => (
            <button
              key={label}
              type="button"
              role="menuitem"
              tabIndex={-1}
              aria-disabled={isOff}
              data-danger={isDanger}
              onClick={() => {
                if (isOff) return;
                close();
                run();
              }}
            >
              {label}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}

/** Returns the item that a key moves to from the one at an index; undefined if the key does not move. */
function keyTarget(key: string, at: number, items: readonly HTMLElement[]): HTMLElement | undefined {
  if (key === "ArrowDown") return items[(at + 1) % items.length];
  if (key === "ArrowUp") return items.at(at - 1);
  if (key === "Home") return items[0];
  if (key === "End") return items.at(-1);
  if (key.length !== 1 || key === " ") return undefined;
  const letter = key.toLowerCase();
  const later = [...items.slice(at + 1), ...items.slice(0, at + 1)];
  return later.find(({ textContent }) => textContent?.toLowerCase().startsWith(letter));
}
