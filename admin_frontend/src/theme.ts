import { type MantineThemeOverride, createTheme } from "@mantine/core";

const inPlace = { withScrollArea: false, comboboxProps: { withinPortal: false } };

/** Read by the page and by the build, which writes its variables into a file (vite.config.ts). */
export const theme: MantineThemeOverride = createTheme({
  primaryColor: "indigo",
  primaryShade: { light: 8, dark: 7 }, // white text on it has more than 4.5:1
  defaultRadius: "md",
  cursorType: "pointer",
  fontFamily: 'Inter, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif',
  fontFamilyMonospace: 'ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace',
  headings: { fontWeight: "650" },
  colors: {
    // greys with a little blue, and 4.5:1 for the dimmed ones
    dark: [
      "#dfe3e8", "#c3c9d0", "#a8b0b9", "#98a0a8", "#3d434b", "#2f343b", "#252a30", "#1d2025", "#16181c", "#101114",
    ],
  },
  components: {
    // their choices stay inside of the page's landmarks, and the list itself is what scrolls (styles.css)
    Select: { defaultProps: inPlace },
    MultiSelect: { defaultProps: inPlace },
    Autocomplete: { defaultProps: inPlace },
    TagsInput: { defaultProps: inPlace },
    InputWrapper: { defaultProps: { inputWrapperOrder: ["label", "input", "description", "error"] } },
    // the lock is a style element, which the policy forbids
    Modal: { defaultProps: { lockScroll: false }, styles: { title: { fontWeight: 650 } } },
    Drawer: { defaultProps: { lockScroll: false } },
  },
});
