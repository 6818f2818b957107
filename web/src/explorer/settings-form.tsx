import type { DescMethod } from "@bufbuild/protobuf";
import { MAX_TIMEOUT_MS } from "@rollcall/client";
import { useId, useRef } from "react";
import type { CallSettings } from "./exchange/use-exchange.ts";
import type { CallLink } from "./link.ts";
import type { SampledCall } from "./samples/sampled-call.ts";
import { type Via, viasFor } from "./vias.ts";

/** Settings of calls, as typed. */
export interface Settings {
  readonly via: Via;
  /** Deadline; empty for the server's own. */
  readonly timeoutMs: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly withToken: boolean;
  /** Whether requests that break the contract's rules are sent. */
  readonly breaksRules: boolean;
}

/** Most headers of a call. */
const MAX_HEADERS = 20;

export function initialSettings(method: DescMethod, { via, timeoutMs = "" }: CallLink): Settings {
  const vias = viasFor(method).map((one) => one.via);
  return {
    via: vias.find((one) => one === via) ?? vias[0] ?? "connect",
    timeoutMs,
    headers: [],
    withToken: true,
    breaksRules: false,
  };
}

/** @throws Error if the deadline is not valid. */
export function toCallSettings({ via, timeoutMs, headers, withToken }: Settings): CallSettings {
  const text = timeoutMs.trim();
  const number = Number(text);
  if (text !== "" && !(/^\d+$/.test(text) && number >= 1 && number <= MAX_TIMEOUT_MS)) {
    throw new Error(`The deadline is a number of milliseconds from 1 to ${MAX_TIMEOUT_MS}.`);
  }
  return {
    via,
    withToken,
    headers: headers.filter(([name]) => name !== ""),
    timeoutMs: text === "" ? undefined : number,
  };
}

/** Returns the settings for samples, which read every token from a variable. */
export function sampledSettings({
  via,
  timeoutMs,
  headers,
  withToken,
}: Settings): Omit<SampledCall, "address" | "method" | "bodies" | "isReflected"> {
  const isToken = ([name]: readonly [string, string]) => name.toLowerCase() === "authorization";
  return {
    via,
    timeoutMs: Number(timeoutMs) || undefined,
    headers: headers.filter((header) => header[0] !== "" && !isToken(header)),
    withToken: withToken || headers.some(isToken),
  };
}

export interface SettingsFormProps {
  method: DescMethod;
  settings: Settings;
  onChange(settings: Settings): void;
}

/**
 * Protocol and transport, deadline, headers, whether to send the token, and whether to send requests that break the
 * rules.
 */
export function SettingsForm({ method, settings, onChange }: SettingsFormProps) {
  const id = useId();
  const add = useRef<HTMLButtonElement>(null);
  const set = (change: Partial<Settings>) => onChange({ ...settings, ...change });
  const { headers } = settings;
  const setHeader = (index: number, name: string, value: string) =>
    set({ headers: headers.with(index, [name, value]) });
  return (
    <div className="settings">
      <div className="settings-row">
        <div>
          <label htmlFor={`${id}-via`}>Protocol and transport</label>
          <select id={`${id}-via`} value={settings.via} onChange={(event) => set({ via: event.target.value as Via })}>
            {viasFor(method).map(({ via, title }) => (
              <option key={via} value={via}>
                {title}
              </option>
            ))}
          </select>
        </div>
        <div>
          <label htmlFor={`${id}-timeout`}>Deadline, in ms</label>
          <input
            id={`${id}-timeout`}
            inputMode="numeric"
            placeholder="server's default"
            autoComplete="off"
            value={settings.timeoutMs}
            onChange={(event) => set({ timeoutMs: event.target.value })}
          />
        </div>
      </div>
      <details className="fields">
        <summary>
          Headers <span className="count">{headers.length}</span>
        </summary>
        {headers.map(([name, value], index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: headers have nothing else that tells them apart
          <fieldset className="header-row" key={index}>
            <legend className="visually-hidden">Header {index + 1}</legend>
            <input
              aria-label={`Name of header ${index + 1}`}
              placeholder="name"
              autoComplete="off"
              spellCheck={false}
              value={name}
              onChange={(event) => setHeader(index, event.target.value.trim(), value)}
            />
            <input
              aria-label={`Value of header ${index + 1}`}
              placeholder="value"
              autoComplete="off"
              spellCheck={false}
              value={value}
              onChange={(event) => setHeader(index, name, event.target.value)}
            />
            <button
              type="button"
              className="quiet danger"
              onClick={() => {
                set({ headers: headers.toSpliced(index, 1) });
                // The button that had the focus disappears with the header.
                add.current?.focus();
              }}
            >
              Remove<span className="visually-hidden"> header {index + 1}</span>
            </button>
          </fieldset>
        ))}
        {headers.length < MAX_HEADERS && (
          <button ref={add} type="button" className="quiet" onClick={() => set({ headers: [...headers, ["", ""]] })}>
            Add a header
          </button>
        )}
      </details>
      <label className="check">
        <input
          type="checkbox"
          checked={settings.withToken}
          onChange={(event) => set({ withToken: event.target.checked })}
        />
        Send my token
      </label>
      <label className="check">
        <input
          type="checkbox"
          checked={settings.breaksRules}
          onChange={(event) => set({ breaksRules: event.target.checked })}
        />
        Send requests that break the rules, too
      </label>
    </div>
  );
}
