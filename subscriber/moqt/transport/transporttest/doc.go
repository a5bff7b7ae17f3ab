// Package transporttest is what connections are made of in tests: two sockets on a simulated network, and a certificate.
package transporttest
