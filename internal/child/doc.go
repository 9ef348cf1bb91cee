// Package child runs parts of a test, benchmark or command in processes of
// their own, by executing the same binary again.
//
//	func init() { child.Register("echo", echo) }
//
//	func TestMain(m *testing.M) {
//		child.Run() // does not return in a child
//		os.Exit(m.Run())
//	}
//
//	func TestEcho(t *testing.T) {
//		p := child.Start(t, "echo")
//		...
//	}
//
// No child outlives the process that started it: on Linux the kernel kills it with
// SIGKILL, even a stopped one. That signal is tied to the life of the thread
// that started the child, so Launch and Start use a thread that never ends.
// Elsewhere a child that reads its standard input sees it end.
package child
