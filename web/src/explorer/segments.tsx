import { useId } from "react";

export interface SegmentsProps<Option extends string> {
  /** Name of the choice, for screen readers. */
  label: string;
  options: readonly Option[];
  value: Option;
  onChange(value: Option): void;
}

/** Choice of one of a few options, in a row. It is made of the browser's own radio buttons, so the arrow keys work. */
export function Segments<Option extends string>({ label, options, value, onChange }: SegmentsProps<Option>) {
  const id = useId();
  return (
    <fieldset className="segments">
      <legend className="visually-hidden">{label}</legend>
      {options.map((option) => (
        <label key={option}>
          <input type="radio" name={id} checked={option === value} onChange={() => onChange(option)} />
          {option}
        </label>
      ))}
    </fieldset>
  );
}
