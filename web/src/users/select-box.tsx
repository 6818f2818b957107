export interface SelectBoxProps {
  label: string;
  isOn: boolean;
  /** Whether some of the items that it stands for are on, and others are not. */
  isMixed?: boolean;
  onToggle(isRange: boolean): void;
}

/** Checkbox of a row, with room around it for a finger. With the shift key, it stands for a range. */
export function SelectBox({ label, isOn, isMixed = false, onToggle }: SelectBoxProps) {
  return (
    <label className="select-box">
      <input
        type="checkbox"
        aria-label={label}
        checked={isOn}
        ref={(box) => {
          if (box) box.indeterminate = isMixed;
        }}
        onChange={({ nativeEvent }) => onToggle("shiftKey" in nativeEvent && nativeEvent.shiftKey === true)}
      />
    </label>
  );
}
