import "../calls/calls.css";
import type { ContextValues } from "@connectrpc/connect";
import { UserService } from "@rollcall/gen/user/v1/user";
import { type RefObject, useEffect, useEffectEvent } from "react";
import { BASE_URL } from "../base.ts";
import { CallPanel } from "../calls/call-panel.tsx";
import { quote, unaryCommands } from "../calls/shell-commands.ts";
import { useCall } from "../calls/use-call.ts";
import type { PageRequest } from "./use-users.ts";

const { listUsers } = UserService.method;

/** Makes the context values of a call that is recorded. */
export type Recorder = () => ContextValues;

export interface ListCallProps {
  request: PageRequest;
  /** Place for the recorder of this panel while it is shown. */
  recorder: RefObject<Recorder | undefined>;
  /** Makes the call once more, now that it is recorded. */
  onRepeat(): void;
}

/** Shows the latest call of the list. */
export function ListCall({ request, recorder, onRepeat }: ListCallProps) {
  const { snapshot, begin } = useCall();
  const record = useEffectEvent(() => {
    recorder.current = () => begin(false).options.contextValues;
    onRepeat();
  });
  useEffect(() => {
    record();
    return () => {
      recorder.current = undefined;
    };
  }, [recorder]);
  const { pageSize, pageToken, filter, orderBy } = request;
  const options = [
    `--page-size ${pageSize} --total --order-by ${quote(orderBy)}`,
    ...(filter ? [`--filter=${quote(filter)}`] : []),
    ...(pageToken ? [`--page-token=${quote(pageToken)}`] : []),
  ];
  const fields = { pageSize, pageToken, filter, orderBy, includeTotalSize: true };
  const message = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ""));
  return (
    <CallPanel
      method={listUsers}
      snapshot={snapshot}
      commands={unaryCommands(BASE_URL, listUsers, message, `users list ${options.join(" ")}`)}
    />
  );
}
