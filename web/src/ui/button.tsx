import type { ComponentProps } from "react";

export interface ButtonProps extends Omit<ComponentProps<"button">, "disabled" | "aria-disabled"> {
  /** It can't be used at the moment. It keeps the focus nonetheless, which `disabled` would drop. */
  isOff?: boolean;
}

/** A button that keyboards and screen readers find whether or not it can be used. */
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
