;; An endless loop in `_start`.
(module
  (func (export "_start")
    (loop $forever (br $forever))))
