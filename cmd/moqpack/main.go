// Command moqpack packages live MoQ broadcasts as LL-HLS, HLS, LL-DASH and DASH.
package main

func main() {}
