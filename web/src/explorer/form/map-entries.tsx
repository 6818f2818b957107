import { type DescField, type JsonObject, type JsonValue, ScalarType } from "@bufbuild/protobuf";
import { useId, useRef, useState } from "react";
import { useForm } from "./form-context.ts";
import { editorOf, emptyValue, valueTypeOf } from "./types.ts";
import { ValueInput } from "./value-input.tsx";

export interface MapEntriesProps {
  field: DescField & { fieldKind: "map" };
  value: JsonObject;
  onChange(value: JsonObject | undefined): void;
  path: string;
}

/** Entries of a map, with an input for each key and value. */
export function MapEntries({ field, value, onChange, path }: MapEntriesProps) {
  const { errors } = useForm();
  const id = useId();
  const add = useRef<HTMLButtonElement>(null);
  const [newKey, setNewKey] = useState("");
  const type = valueTypeOf(field);
  const isText = field.mapKey === ScalarType.STRING;
  const isMessage = editorOf(type).kind === "parts";
  const remove = (key: string) => {
    const { [key]: _removed, ...rest } = value;
    onChange(Object.keys(rest).length > 0 ? rest : undefined);
    // The button that had the focus goes with the entry.
    add.current?.focus();
  };
  const set = (key: string, next: JsonValue) => onChange({ ...value, [key]: next });
  const addEntry = () => {
    if (newKey !== "" && !Object.hasOwn(value, newKey)) set(newKey, emptyValue(type));
    setNewKey("");
  };
  return (
    <>
      {Object.entries(value).map(([key, item]) => {
        const entryPath = `${path}[${isText ? JSON.stringify(key) : key}]`;
        const problems = errors[entryPath] ?? [];
        return (
          <fieldset className="item" key={key}>
            <legend>
              <code>{key}</code>
            </legend>
            {!isMessage && (
              <label className="visually-hidden" htmlFor={`${id}-${key}`}>
                {field.name} {key}
              </label>
            )}
            <ValueInput
              type={type}
              value={item}
              onChange={(next) => set(key, next ?? emptyValue(type))}
              path={entryPath}
              isOptional={false}
              isKept
              id={`${id}-${key}`}
              describedBy={`${id}-${key}-problem`}
              isInvalid={problems.length > 0}
            />
            <button type="button" className="quiet danger" onClick={() => remove(key)}>
              Remove<span className="visually-hidden"> {`${field.name} ${key}`}</span>
            </button>
            {problems.length > 0 && (
              <p id={`${id}-${key}-problem`} className="field-error">
                {problems.join("; ")}
              </p>
            )}
          </fieldset>
        );
      })}
      <div className="new-entry">
        <label htmlFor={`${id}-new`}>Key</label>
        <input
          id={`${id}-new`}
          value={newKey}
          autoComplete="off"
          onChange={(event) => setNewKey(event.target.value)}
          onKeyDown={(event) => {
            // Enter adds the entry here; elsewhere it sends the form.
            if (event.key !== "Enter") return;
            event.preventDefault();
            addEntry();
          }}
        />
        <button ref={add} type="button" className="quiet" onClick={addEntry}>
          Add to {field.name}
        </button>
      </div>
    </>
  );
}
