import type { DescField, DescMessage, DescOneof, JsonObject } from "@bufbuild/protobuf";
import { useId } from "react";
import { rulesOfMessage } from "../contracts/rules-in-words.ts";
import { FieldRow } from "./field-row.tsx";
import { useForm } from "./form-context.ts";
import { fieldOf, withField } from "./json-fields.ts";
import { emptyValue, valueTypeOf } from "./types.ts";

export interface MessageFieldsProps {
  message: DescMessage;
  value: JsonObject;
  onChange(value: JsonObject): void;
  path: string;
}

/** Fields of a message, in the contract's order. */
export function MessageFields({ message, value, onChange, path }: MessageFieldsProps) {
  const { registry } = useForm();
  const rules = rulesOfMessage(message, registry);
  const inside = (field: DescField | DescOneof) => (path === "" ? field.name : `${path}.${field.name}`);
  return (
    <div className="message-fields">
      {rules.length > 0 && <p className="hint">{rules.join(" · ")}</p>}
      {message.members.length === 0 && <p className="hint">This message has no fields.</p>}
      {message.members.map((member) =>
        member.kind === "oneof" ? (
          <OneofRow key={member.name} oneof={member} value={value} onChange={onChange} pathOf={inside} />
        ) : (
          <FieldRow
            key={member.name}
            field={member}
            value={fieldOf(value, member)}
            onChange={(next) => onChange(withField(value, member, next))}
            path={inside(member)}
          />
        ),
      )}
    </div>
  );
}

interface OneofRowProps extends Pick<MessageFieldsProps, "value" | "onChange"> {
  oneof: DescOneof;
  pathOf(member: DescField | DescOneof): string;
}

/** Choice of one field among several. */
function OneofRow({ oneof, value, onChange, pathOf }: OneofRowProps) {
  const { errors } = useForm();
  const id = useId();
  const problems = errors[pathOf(oneof)] ?? [];
  const chosen = oneof.fields.find((field) => fieldOf(value, field) !== undefined);
  const choose = (name: string) => {
    let next = value;
    for (const field of oneof.fields) next = withField(next, field, undefined);
    const field = oneof.fields.find((one) => one.name === name);
    onChange(field ? withField(next, field, emptyValue(valueTypeOf(field))) : next);
  };
  return (
    <div className="oneof">
      <div className="field-row">
        <label htmlFor={id}>
          <code>{oneof.name}</code> <span className="hint">one of these</span>
        </label>
        <select
          id={id}
          aria-describedby={`${id}-problem`}
          aria-invalid={problems.length > 0}
          value={chosen?.name ?? ""}
          onChange={(event) => choose(event.target.value)}
        >
          <option value="">not set</option>
          {oneof.fields.map(({ name }) => (
            <option key={name}>{name}</option>
          ))}
        </select>
        {problems.length > 0 && (
          <p id={`${id}-problem`} className="field-error">
            {problems.join("; ")}
          </p>
        )}
      </div>
      {chosen && (
        <FieldRow
          key={chosen.name}
          field={chosen}
          value={fieldOf(value, chosen)}
          onChange={(next) => onChange(withField(value, chosen, next))}
          path={pathOf(chosen)}
          isChosen
        />
      )}
    </div>
  );
}
