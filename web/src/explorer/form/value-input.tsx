import type { JsonValue } from "@bufbuild/protobuf";
import { useState } from "react";
import { isObject } from "./json-fields.ts";
import { MessageFields } from "./message-fields.tsx";
import { editorOf, type ValueType } from "./types.ts";

export interface ValueInputProps {
  type: ValueType;
  value: JsonValue | undefined;
  /** Called with the new value, as JSON; undefined for none. */
  onChange(value: JsonValue | undefined): void;
  /** Path of the value in the whole message, for the rules that it breaks. */
  path: string;
  /** Whether the value can be missing, in which case a default value is not the same as none. */
  isOptional: boolean;
  /** Whether the value stays even if it is empty: an item of a list, or the chosen field of a oneof. */
  isKept?: boolean;
  id: string;
  describedBy: string;
  isInvalid: boolean;
}

/** Input for one value of any type. */
export function ValueInput(props: ValueInputProps) {
  const { type, value, onChange, isOptional, isKept = false, path, id, describedBy, isInvalid } = props;
  const editor = editorOf(type);
  const common = { id, "aria-describedby": describedBy, "aria-invalid": isInvalid };
  switch (editor.kind) {
    case "parts":
      return (
        <MessageFields message={editor.message} value={isObject(value) ? value : {}} onChange={onChange} path={path} />
      );
    case "json":
      return <JsonInput {...common} value={value} onChange={onChange} />;
    case "truth":
    case "choice": {
      const names = editor.kind === "truth" ? ["false", "true"] : editor.options;
      const chosen = value === undefined ? (isOptional ? "" : (names[0] ?? "")) : String(value);
      const options = [...(isOptional && !isKept ? [""] : []), ...names];
      const choose = (name: string) => {
        if (name === "" || (!isOptional && !isKept && name === names[0])) return onChange(undefined);
        onChange(editor.kind === "truth" ? name === "true" : name);
      };
      return (
        <select {...common} value={chosen} onChange={(event) => choose(event.target.value)}>
          {[...options, ...(options.includes(chosen) ? [] : [chosen])].map((name) => (
            <option key={name} value={name}>
              {name || "not set"}
            </option>
          ))}
        </select>
      );
    }
    default: {
      const change = (text: string) => {
        if (text === "" && !isKept) return onChange(undefined);
        onChange(editor.kind === "number" && !editor.isLong ? numberOf(text) : text);
      };
      const text = textOf(value);
      const shared = {
        ...common,
        value: text,
        placeholder: editor.kind === "text" ? editor.example : isOptional ? "" : "0",
        autoComplete: "off",
        spellCheck: false,
      };
      // Only an area shows text of several lines, which may come from the JSON.
      if (text.includes("\n"))
        return <textarea {...shared} rows={3} onChange={(event) => change(event.target.value)} />;
      const mode = editor.kind === "text" ? "text" : editor.isWhole ? "numeric" : "decimal";
      return <input {...shared} inputMode={mode} onChange={(event) => change(event.target.value)} />;
    }
  }
}

/** Area for a value of any form. It keeps the typed text until that is valid JSON. */
function JsonInput({
  value,
  onChange,
  ...common
}: { value: JsonValue | undefined; id: string } & Pick<ValueInputProps, "onChange">) {
  const [text, setText] = useState(() => (value === undefined ? "" : JSON.stringify(value, undefined, 2)));
  const change = (next: string) => {
    setText(next);
    if (next.trim() === "") return onChange(undefined);
    try {
      onChange(JSON.parse(next) as JsonValue);
    } catch {
      // Text that is not JSON is taken as a string. The check of the message refuses it where necessary.
      onChange(next);
    }
  };
  return (
    <textarea {...common} value={text} rows={3} spellCheck={false} onChange={(event) => change(event.target.value)} />
  );
}

/**
 * Returns a number if the text is one in its usual form. Otherwise returns the text, since somebody is still typing.
 */
function numberOf(text: string): JsonValue {
  const number = Number(text);
  return String(number) === text && Number.isFinite(number) ? number : text;
}

function textOf(value: JsonValue | undefined): string {
  if (value === undefined || value === null) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
