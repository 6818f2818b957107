import type { DescField, JsonValue } from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import { useId } from "react";
import { rulesOfField } from "../contracts/rules-in-words.ts";
import { useForm } from "./form-context.ts";
import { isObject } from "./json-fields.ts";
import { ListItems } from "./list-items.tsx";
import { MapEntries } from "./map-entries.tsx";
import { editorOf, typeNameOf, valueTypeOf } from "./types.ts";
import { ValueInput } from "./value-input.tsx";

export interface FieldRowProps {
  field: DescField;
  value: JsonValue | undefined;
  onChange(value: JsonValue | undefined): void;
  path: string;
  /** Whether this field of a oneof is the chosen one: it stays, even if it is empty. */
  isChosen?: boolean;
}

/** A field with its type, its rules, and the rules that its value breaks. */
export function FieldRow({ field, value, onChange, path, isChosen = false }: FieldRowProps) {
  const { registry, errors } = useForm();
  const id = useId();
  const problems = errors[path] ?? [];
  // A broken rule is not shown twice.
  const rules = rulesOfField(field, registry).filter((rule) => !problems.includes(rule));
  const hint = [typeNameOf(field), ...rules].join(" · ");
  const notes = (
    <>
      <p id={`${id}-hint`} className="hint">
        {hint}
      </p>
      {problems.length > 0 && (
        <p id={`${id}-problem`} className="field-error">
          {problems.join("; ")}
        </p>
      )}
    </>
  );
  const describedBy = `${id}-hint ${id}-problem`;
  const input = {
    type: valueTypeOf(field),
    path,
    id,
    describedBy,
    isInvalid: problems.length > 0,
    isOptional: field.presence === FeatureSet_FieldPresence.EXPLICIT && !isChosen,
    isKept: isChosen,
  };
  if (field.fieldKind === "list" || field.fieldKind === "map") {
    return (
      <fieldset className="group" aria-describedby={describedBy}>
        <legend>
          <code>{field.name}</code>
        </legend>
        {notes}
        {field.fieldKind === "list" ? (
          <ListItems field={field} value={Array.isArray(value) ? value : []} onChange={onChange} path={path} />
        ) : (
          <MapEntries field={field} value={isObject(value) ? value : {}} onChange={onChange} path={path} />
        )}
      </fieldset>
    );
  }
  if (editorOf(input.type).kind === "parts") {
    return (
      <fieldset className="group" aria-describedby={describedBy}>
        <legend>
          <code>{field.name}</code>
        </legend>
        {notes}
        {value !== undefined && <ValueInput {...input} value={value} onChange={onChange} />}
        {!isChosen && (
          <button type="button" className="quiet" onClick={() => onChange(value === undefined ? {} : undefined)}>
            {value === undefined ? "Set" : "Remove"} {field.name}
          </button>
        )}
      </fieldset>
    );
  }
  return (
    <div className="field-row">
      <label htmlFor={id}>
        <code>{field.name}</code>
      </label>
      <ValueInput {...input} value={value} onChange={onChange} />
      {notes}
    </div>
  );
}
