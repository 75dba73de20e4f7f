package main

import "testing"

func testDemo(t *testing.T, b *browser)  {}
func testBlock(t *testing.T, b *browser) {}
