declare global {
  namespace App {
    interface PageState {
      /** A dialog that Back should close. */
      dialog?: string;
    }
  }
}

export {};
