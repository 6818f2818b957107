import type { ComponentProps } from "react";

export interface ButtonProps extends Omit<ComponentProps<"button">, "disabled" | "aria-disabled"> {
  /** Whether the button can't be used at the moment. Unlike with `disabled`, it keeps the focus. */
  isOff?: boolean;
}

/** Button that keyboards and screen readers find even while it can't be used. */
export function Button({ isOff = false, type = "button", onClick, ...rest }: ButtonProps) {
  return (
    <button
      {...rest}
      type={type}
      aria-disabled={isOff}
      onClick={(event) => {
        if (isOff) event.preventDefault();
        else onClick?.(event);
      }}
    />
  );
}
