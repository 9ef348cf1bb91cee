//go:build !linux

package order

func supported() bool { return false }

func register() error { return errBarrier }

func registerSoon() error { return errBarrier }

func barrier() error { return errBarrier }
