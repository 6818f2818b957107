import type { DescMethod, Registry } from "@bufbuild/protobuf";
import { useId } from "react";
import type { FieldErrors } from "../api/errors.ts";
import { parseText } from "./check-request.ts";
import { FormProvider } from "./form/form-context.ts";
import { isObject } from "./form/json-fields.ts";
import { MessageFields } from "./form/message-fields.tsx";
import { editorOf } from "./form/types.ts";
import { ValueInput } from "./form/value-input.tsx";
import { Segments } from "./segments.tsx";

const VIEWS = ["Form", "JSON"] as const;
export type RequestView = (typeof VIEWS)[number];

export interface RequestEditorProps {
  method: DescMethod;
  registry: Registry;
  view: RequestView;
  onView(view: RequestView): void;
  /** Request as JSON. */
  text: string;
  onEdit(text: string): void;
  errors: FieldErrors;
}

/** Request as a form and as JSON. Both edit the same text. */
export function RequestEditor(props: RequestEditorProps) {
  const { registry, view, onView, text, onEdit, errors } = props;
  const { input } = props.method;
  const id = useId();
  const parsed = parseText(text);
  const type = { kind: "message", message: input } as const;
  const change = (value: unknown) => onEdit(JSON.stringify(value, undefined, 2));
  return (
    <div>
      <div className="editor-head">
        <h3>
          <code>{input.name}</code>
        </h3>
        <Segments label="View of the request" options={VIEWS} value={view} onChange={onView} />
      </div>
      {view === "Form" &&
        ("problem" in parsed ? (
          <p className="field-error">{parsed.problem}. The view JSON shows it.</p>
        ) : (
          <FormProvider value={{ registry, errors }}>
            {editorOf(type).kind === "parts" ? (
              <MessageFields
                message={input}
                value={isObject(parsed.json) ? parsed.json : {}}
                onChange={change}
                path=""
              />
            ) : (
              <div className="field-row">
                <label htmlFor={`${id}-value`}>
                  <code>{input.name}</code>
                </label>
                <ValueInput
                  type={type}
                  value={parsed.json}
                  onChange={(value) => change(value ?? {})}
                  path=""
                  isOptional={false}
                  isKept
                  id={`${id}-value`}
                  describedBy=""
                  isInvalid={false}
                />
              </div>
            )}
          </FormProvider>
        ))}
      {view === "JSON" && (
        <>
          <label className="visually-hidden" htmlFor={`${id}-json`}>
            Request as JSON
          </label>
          <textarea
            id={`${id}-json`}
            className="code"
            rows={12}
            value={text}
            spellCheck={false}
            autoComplete="off"
            aria-invalid={"problem" in parsed}
            aria-describedby={`${id}-json-problem`}
            onChange={(event) => onEdit(event.target.value)}
          />
          <p id={`${id}-json-problem`} className="field-error">
            {"problem" in parsed && parsed.problem}
          </p>
        </>
      )}
    </div>
  );
}
