import type { DescField, JsonValue } from "@bufbuild/protobuf";
import { useId, useRef } from "react";
import { useForm } from "./form-context.ts";
import { editorOf, emptyValue, valueTypeOf } from "./types.ts";
import { ValueInput } from "./value-input.tsx";

export interface ListItemsProps {
  field: DescField;
  value: readonly JsonValue[];
  onChange(value: JsonValue[] | undefined): void;
  path: string;
}

/** Items of a repeated field, with buttons to add and remove them. */
export function ListItems({ field, value, onChange, path }: ListItemsProps) {
  const { errors } = useForm();
  const id = useId();
  const add = useRef<HTMLButtonElement>(null);
  const type = valueTypeOf(field);
  const isMessage = editorOf(type).kind === "parts";
  const remove = (index: number) => {
    const rest = value.toSpliced(index, 1);
    onChange(rest.length > 0 ? rest : undefined);
    // The button that had the focus goes with the item.
    add.current?.focus();
  };
  return (
    <>
      {value.map((item, index) => {
        const itemPath = `${path}[${index}]`;
        const problems = errors[itemPath] ?? [];
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: items have nothing else that tells them apart
          <fieldset className={isMessage ? "item" : "item in-line"} key={index}>
            <legend className="visually-hidden">
              {field.name} {index + 1}
            </legend>
            {!isMessage && (
              <label className="visually-hidden" htmlFor={`${id}-${index}`}>
                {field.name} {index + 1}
              </label>
            )}
            <ValueInput
              type={type}
              value={item}
              onChange={(next) => onChange(value.with(index, next ?? emptyValue(type)))}
              path={itemPath}
              isOptional={false}
              isKept
              id={`${id}-${index}`}
              describedBy={`${id}-${index}-problem`}
              isInvalid={problems.length > 0}
            />
            <button type="button" className="quiet danger" onClick={() => remove(index)}>
              Remove<span className="visually-hidden"> {`${field.name} ${index + 1}`}</span>
            </button>
            {problems.length > 0 && (
              <p id={`${id}-${index}-problem`} className="field-error">
                {problems.join("; ")}
              </p>
            )}
          </fieldset>
        );
      })}
      <button ref={add} type="button" className="quiet" onClick={() => onChange([...value, emptyValue(type)])}>
        Add to {field.name}
      </button>
    </>
  );
}
