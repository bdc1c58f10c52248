import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { reasonOf } from "../api.ts";
import type { Resource } from "../resource.ts";

/** Shows what was loaded, or why it was not. */
export function Loaded<T>({
  from,
  children,
}: {
  readonly from: Resource<T>;
  readonly children: (data: T) => ComponentChildren;
}) {
  return (
    <>
      {from.error !== undefined && (
        <p role="alert" class="fault">
          {reasonOf(from.error)}{" "}
          <button type="button" onClick={from.reload}>
            Try again
          </button>
        </p>
      )}
      {from.data === undefined ? from.error === undefined && <p class="hint">Loading…</p> : children(from.data)}
    </>
  );
}

export function Section({
  title,
  actions,
  children,
}: {
  readonly title: string;
  readonly actions?: ComponentChildren;
  readonly children: ComponentChildren;
}) {
  return (
    <section class="card">
      <header class="heading">
        <h2>{title}</h2>
        <div class="actions">{actions}</div>
      </header>
      {children}
    </section>
  );
}

/** A command for a terminal, with a button that copies it. */
export function Command({ text }: { readonly text: string }) {
  const isCopied = useSignal(false);
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(text);
    isCopied.value = true;
  };
  return (
    <div class="command">
      <pre>{text}</pre>
      {navigator.clipboard !== undefined && (
        <button type="button" onClick={copy}>
          {isCopied.value ? "Copied" : "Copy"}
        </button>
      )}
    </div>
  );
}

/** What to do where there is nothing yet. */
export function Empty({ title, children }: { readonly title: string; readonly children?: ComponentChildren }) {
  return (
    <div class="empty">
      <h3>{title}</h3>
      {children}
    </div>
  );
}

/** The reason why something could not be done. */
export function Fault({ text }: { readonly text: string }) {
  return (
    <p role="alert" class="fault">
      {text}
    </p>
  );
}

interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}

/** A dialog in front of the page; Escape closes it, and the focus goes back. */
export function Dialog({ title, onClose, children }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => element.current?.showModal(), []);
  return (
    <dialog ref={element} onClose={onClose} aria-label={title}>
      <header class="heading">
        <h2>{title}</h2>
        <button type="button" class="plain" aria-label="Close" onClick={() => element.current?.close()}>
          ✕
        </button>
      </header>
      {children}
    </dialog>
  );
}

/** A button, and the dialog that it opens. */
export function DialogButton({
  label,
  look = "",
  children,
}: {
  readonly label: string;
  readonly look?: "" | "primary" | "danger" | "plain";
  readonly children: (close: () => void) => ComponentChildren;
}) {
  const isOpen = useSignal(false);
  const open = (): void => {
    isOpen.value = true;
  };
  const close = (): void => {
    isOpen.value = false;
  };
  return (
    <>
      <button type="button" class={look} onClick={open}>
        {label}
      </button>
      {isOpen.value && children(close)}
    </>
  );
}

interface AskProps {
  readonly title: string;
  readonly text: ComponentChildren;
  /** The word on the button that does it. */
  readonly action: string;
  readonly isDangerous?: boolean;
  readonly onClose: () => void;
  /** May throw: the reason is shown. */
  readonly run: () => Promise<void>;
}

/** Asks before something is done. */
export function Ask({ title, text, action, isDangerous = false, onClose, run }: AskProps) {
  const fault = useSignal("");
  const isBusy = useSignal(false);
  const go = async (): Promise<void> => {
    isBusy.value = true;
    try {
      await run();
      onClose();
    } catch (error) {
      fault.value = reasonOf(error);
      isBusy.value = false;
    }
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <div>{text}</div>
      <Fault text={fault.value} />
      <div class="actions">
        <button type="button" onClick={onClose}>
          Cancel
        </button>
        <button type="button" class={isDangerous ? "danger" : "primary"} disabled={isBusy} onClick={go}>
          {action}
        </button>
      </div>
    </Dialog>
  );
}

/** The first row of a table. */
export function TableHead({
  titles,
  actions,
}: {
  readonly titles: readonly string[];
  /** Name of a last column with buttons, for those who do not see them. */
  readonly actions?: string;
}) {
  return (
    <thead>
      <tr>
        {titles.map((title) => (
          <th key={title} scope="col">
            {title}
          </th>
        ))}
        {actions !== undefined && (
          <th scope="col">
            <span class="unseen">{actions}</span>
          </th>
        )}
      </tr>
    </thead>
  );
}

/** Links to the other pages of a list. */
export function Pager({
  page,
  perPage,
  total,
  hrefOf,
}: {
  readonly page: number;
  readonly perPage: number;
  readonly total: number;
  readonly hrefOf: (page: number) => string;
}) {
  const last = Math.max(1, Math.ceil(total / perPage));
  if (last === 1) return null;
  return (
    <nav class="pager" aria-label="Pages">
      {page > 1 && <a href={hrefOf(page - 1)}>← Previous</a>}
      <span>
        Page {page.toLocaleString("en")} of {last.toLocaleString("en")}
      </span>
      {page < last && <a href={hrefOf(page + 1)}>Next →</a>}
    </nav>
  );
}
