import "../calls/calls.css";
import "./explorer.css";
import "./form/form.css";
import { methodName } from "@rollcall/shared/method-name";
import { useRef } from "react";
import { describeError } from "../api/errors.ts";
import { useContracts } from "./contracts/use-contracts.ts";
import { MethodList } from "./method-list.tsx";
import { MethodPane } from "./method-pane.tsx";
import { useOpenedLink } from "./use-opened-link.ts";

/** Page that can call every method of the server, by the contracts that the server gives. */
export function ExplorerPage() {
  const { contracts, fault, retry } = useContracts();
  const link = useOpenedLink();
  /** Requests as they were left, by method. */
  const drafts = useRef(new Map<string, string>());
  const methods = contracts?.services.flatMap((service) => service.methods) ?? [];
  const named = methods.find((method) => methodName(method) === link.method);
  const method = named ?? methods[0];

  return (
    <div className="explorer">
      <div className="explorer-title">
        <h1>Explorer</h1>
        <p className="lead">Every method of this server, read from its own contracts.</p>
        {fault !== undefined && (
          <p className="explorer-notice" role="status">
            {contracts
              ? "The server does not show its contracts (setting REFLECTION), or they can't be read. These are the services that this app was built with."
              : describeError(fault)}{" "}
            <button type="button" className="quiet" onClick={retry}>
              Try again
            </button>
          </p>
        )}
        {link.method !== undefined && method && !named && (
          <p className="explorer-notice" role="alert">
            This server has no method {link.method}.
          </p>
        )}
      </div>
      {!contracts && fault === undefined && <p className="page-loading">Loading…</p>}
      {contracts && !method && <p className="notice">This server has no methods.</p>}
      {contracts && method && (
        <>
          <MethodList services={contracts.services} current={method} />
          <MethodPane
            key={`${link.number} ${methodName(method)}`}
            method={method}
            registry={contracts.registry}
            isReflected={fault === undefined}
            link={named ? link : {}}
            draft={drafts.current.get(methodName(method))}
            onDraft={(text) => drafts.current.set(methodName(method), text)}
          />
        </>
      )}
    </div>
  );
}
