;; Imports the memory, table and global that it would share with others. Refused at deploy.
(module
  (import "env" "memory" (memory 1))
  (func (export "run")))
