/** Shows a component whose module is fetched when it is needed. */
import { html, useEffect, useState } from "../html.js";
import { showToast } from "../ui/toast.js";

/** @param {{load: () => Promise<{default: any}>, onClose?: () => void, [prop: string]: any}} props */
export function Later({ load, ...props }) {
  const [module, setModule] = useState(null);
  useEffect(() => {
    load().then(setModule, () => {
      showToast({ tone: "bad", icon: "warn", title: "This part could not be loaded", detail: "souk may have been updated or stopped. Reload the page." });
      props.onClose?.();
    });
  }, []);
  return module && html`<${module.default} ...${props} />`;
}
