import type { DescMethod, JsonValue, Registry } from "@bufbuild/protobuf";
import { violationsOf } from "@rollcall/client";
import { methodName } from "@rollcall/shared/method-name";
import { type FormEvent, useEffect, useMemo, useRef, useState } from "react";
import { type FieldErrors, groupByField } from "../api/errors.ts";
import { loadRules } from "../api/rules/index.ts";
import { BASE_URL } from "../base.ts";
import { KINDS, stateOf } from "../calls/call-facts.tsx";
import { MAX_PRINTED_MESSAGES } from "../calls/shell-commands.ts";
import { Button } from "../ui/button.tsx";
import { CopyButton } from "../ui/copy-button.tsx";
import { DocsLink } from "../ui/docs-link.tsx";
import { useFirstSign } from "../ui/use-first-sign.ts";
import { brokenRules, messageOf, parseText, preloadFromJson, toMessage } from "./check-request.ts";
import { permissionOf } from "./contracts/permission.ts";
import { ExchangeView } from "./exchange/exchange-view.tsx";
import { useExchange } from "./exchange/use-exchange.ts";
import { emptyValue } from "./form/types.ts";
import { type CallLink, linkOf, MAX_BODY_CHARACTERS } from "./link.ts";
import { PermissionNote } from "./permission-note.tsx";
import { RequestEditor, type RequestView } from "./request-editor.tsx";
import { initialSettings, SettingsForm, sampledSettings, toCallSettings } from "./settings-form.tsx";
import { streamsRequests } from "./vias.ts";

export interface MethodPaneProps {
  method: DescMethod;
  registry: Registry;
  /** Whether the contracts are the server's own. */
  isReflected: boolean;
  link: CallLink;
  /** Request as it was left; a link's body replaces it. */
  draft: string | undefined;
  onDraft(text: string): void;
}

/** One method: its request, and the outcome of the call beside it. */
export function MethodPane({ method, registry, isReflected, link, draft, onDraft }: MethodPaneProps) {
  const [text, setText] = useState(
    () => link.body ?? draft ?? JSON.stringify(emptyValue({ kind: "message", message: method.input })),
  );
  const [settings, setSettings] = useState(() => initialSettings(method, link));
  const [view, setView] = useState<RequestView>("Form");
  const [problem, setProblem] = useState<string>();
  const [errors, setErrors] = useState<FieldErrors>({});
  /** Whether the request is still the one that was sent, so that the faults found by the server apply. */
  const [isAsSent, setAsSent] = useState(false);
  const [sent, setSent] = useState<readonly string[]>([]);
  const isChecking = useRef(false);
  const form = useRef<HTMLFormElement>(null);
  const exchange = useExchange(method, registry);
  const { snapshot, running, isOpen } = exchange;
  // The rules are large, so they are loaded when somebody first does something here.
  useFirstSign(loadRules);
  useFirstSign(preloadFromJson);
  useEffect(() => {
    if (Object.keys(errors).length > 0) form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
  }, [errors]);

  const isStream = streamsRequests(method);
  const refused = isAsSent && snapshot?.error ? violationsOf(snapshot.error) : [];
  const fieldErrors =
    refused.length === 0
      ? errors
      : groupByField(refused.map(({ field, description }) => ({ field, message: description })));
  const parsed = useMemo(() => parseText(text), [text]);
  const current: CallLink = {
    method: methodName(method),
    via: settings.via,
    timeoutMs: settings.timeoutMs,
    body: text,
  };

  const sampled = useMemo(() => {
    const bodies = (isStream && sent.length > 0 ? sent : [text]).map(bodyOf);
    return { address: BASE_URL, method, bodies, isReflected, ...sampledSettings(settings) };
  }, [method, isReflected, isStream, sent, text, settings]);

  const edit = (next: string) => {
    setText(next);
    onDraft(next);
    setProblem(undefined);
    setErrors({});
    setAsSent(false);
  };
  const send = async (event: FormEvent) => {
    event.preventDefault();
    if (isChecking.current || (running && !isOpen)) return;
    setProblem(undefined);
    setErrors({});
    if ("problem" in parsed) return setProblem(parsed.problem);
    try {
      const call = toCallSettings(settings);
      isChecking.current = true;
      const message = await toMessage(method.input, parsed.json, registry);
      const broken = settings.breaksRules ? {} : await brokenRules(method.input, message);
      if (Object.keys(broken).length > 0) return setErrors(broken);
      history.replaceState(history.state, "", linkOf(current));
      setAsSent(true);
      setSent((before) => [...(isOpen ? before : []), text].slice(0, MAX_PRINTED_MESSAGES));
      exchange.send(message, call);
    } catch (error) {
      setProblem(messageOf(error));
    } finally {
      isChecking.current = false;
    }
  };

  return (
    <>
      <section className="request" aria-labelledby="method-name">
        <div className="method-title">
          <h2 id="method-name">{method.name}</h2>
          <CopyButton
            text={`${location.origin}${location.pathname}${linkOf(current)}`}
            label="Copy a link to this call"
          />
        </div>
        <p className="hint">
          <code>{methodName(method)}</code> · {KINDS[method.methodKind]}{" "}
          <DocsLink at={methodName(method).replace("/", ".")}>Reference</DocsLink>
        </p>
        <PermissionNote permission={permissionOf(method)} isReflected={isReflected} />
        <form ref={form} onSubmit={send} noValidate>
          <RequestEditor {...{ method, registry, view, text }} onView={setView} onEdit={edit} errors={fieldErrors} />
          <SettingsForm method={method} settings={settings} onChange={setSettings} />
          <p className="field-error request-problem" role="alert">
            {problem ?? (view === "Form" ? namesOf(fieldErrors) : summaryOf(fieldErrors))}
          </p>
          <div className="choices">
            <Button type="submit" className="primary" isOff={running && !isOpen}>
              {isStream ? "Send message" : "Send"}
            </Button>
            {isStream && (
              <Button isOff={!isOpen} onClick={exchange.halfClose}>
                End requests
              </Button>
            )}
            <Button isOff={!running} onClick={exchange.cancel}>
              Cancel
            </Button>
            {/* In a narrow window the exchange, which says the same, is further down. */}
            <span className="state last-state" data-state={snapshot?.state} aria-hidden="true">
              {snapshot && stateOf(snapshot)}
            </span>
          </div>
          {text.length > MAX_BODY_CHARACTERS && (
            <p className="hint">The request is too long for a link: a link opens the method without it.</p>
          )}
        </form>
      </section>
      <ExchangeView exchange={exchange} registry={registry} sampled={sampled} />
    </>
  );
}

/** Names the fields with faults: the form has each fault at its field, except those of the whole request. */
function namesOf({ "": whole, ...fields }: FieldErrors): string {
  const names = Object.keys(fields).join(", ");
  return [...(whole ?? []), ...(names ? [`Fields with faults: ${names}`] : [])].join(". ");
}

/** Describes the faults of fields, for the JSON, which does not show them. */
function summaryOf(errors: FieldErrors): string {
  return Object.entries(errors)
    .map(([field, messages]) => (field ? `${field}: ` : "") + messages.join("; "))
    .join(". ");
}

function bodyOf(text: string): JsonValue {
  const parsed = parseText(text);
  return "json" in parsed ? parsed.json : {};
}
