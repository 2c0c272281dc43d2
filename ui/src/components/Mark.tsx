/** Mark is the sign of modelwatch. */
export function Mark({ size = 22 }: { size?: number }) {
  return (
    <svg viewBox="0 0 32 32" width={size} height={size} aria-hidden="true">
      <rect width="32" height="32" rx="7" fill="#1b4b66" />
      <path
        d="M5 17h5l3-8 5 15 4-10 2 3h3"
        fill="none"
        stroke="#7fe0c3"
        strokeWidth="2.6"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
    </svg>
  );
}
