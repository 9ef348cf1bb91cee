//go:build !linux

package main

func prepareTestProcess() {}
