import { createRegistry, type Registry } from "@bufbuild/protobuf";
import { createContext, useContext } from "react";
import type { FieldErrors } from "../../api/errors.ts";

export interface FormContextValue {
  readonly registry: Registry;
  /** Broken rules by the path of the field, such as `users[0].email`. */
  readonly errors: FieldErrors;
}

const FormContext = createContext<FormContextValue>({ registry: createRegistry(), errors: {} });

export const FormProvider = FormContext.Provider;

export function useForm(): FormContextValue {
  return useContext(FormContext);
}
