import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { methodName } from "@rollcall/shared/method-name";
import { Fragment, useId } from "react";
import { linkOf } from "./link.ts";

const SHORT_KINDS = {
  unary: "unary",
  server_streaming: "server stream",
  client_streaming: "client stream",
  bidi_streaming: "bidi stream",
} as const;

export interface MethodListProps {
  services: readonly DescService[];
  current: DescMethod;
}

/** Links to all methods by service; in a narrow window, one field to choose from. */
export function MethodList({ services, current }: MethodListProps) {
  const id = useId();
  const currentName = methodName(current);
  return (
    <>
      <nav className="methods" aria-label="Methods">
        {services.map((service) => (
          <Fragment key={service.typeName}>
            <h2>
              {service.typeName.split(".").map((part, index) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: the parts of a name stay in their order
                <Fragment key={index}>
                  {index > 0 && (
                    <>
                      .<wbr />
                    </>
                  )}
                  {part}
                </Fragment>
              ))}
            </h2>
            <ul>
              {service.methods.map((method) => {
                const name = methodName(method);
                return (
                  <li key={name}>
                    <a href={linkOf({ method: name })} aria-current={name === currentName ? "true" : undefined}>
                      {method.name} <span className="hint">{SHORT_KINDS[method.methodKind]}</span>
                    </a>
                  </li>
                );
              })}
            </ul>
          </Fragment>
        ))}
      </nav>
      <div className="method-choice">
        <label htmlFor={id}>Method</label>
        <select
          id={id}
          value={currentName}
          onChange={(event) => {
            location.hash = linkOf({ method: event.target.value });
          }}
        >
          {services.map((service) => (
            <optgroup key={service.typeName} label={service.typeName}>
              {service.methods.map((method) => (
                <option key={method.name} value={methodName(method)}>
                  {method.name}
                </option>
              ))}
            </optgroup>
          ))}
        </select>
      </div>
    </>
  );
}
