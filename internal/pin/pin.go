//go:build pin

// Package pin holds the module versions steady while the packages that need them are being written.
package pin

import (
	_ "github.com/Eyevinn/dash-mpd/mpd"
	_ "github.com/Eyevinn/hls-m3u8/m3u8"
	_ "github.com/Eyevinn/mp4ff/mp4"
	_ "github.com/aws/aws-sdk-go-v2/service/s3"
	_ "github.com/google/go-cmp/cmp"
	_ "github.com/grafov/m3u8"
	_ "github.com/labstack/echo/v4"
	_ "github.com/labstack/echo/v4/middleware"
	_ "github.com/prometheus/client_golang/prometheus"
	_ "github.com/prometheus/client_golang/prometheus/promhttp"
	_ "github.com/prometheus/client_golang/prometheus/testutil"
	_ "github.com/quic-go/quic-go"
	_ "github.com/quic-go/quic-go/testutils/simnet"
	_ "github.com/spf13/cobra"
	_ "golang.org/x/net/http2"
	_ "golang.org/x/sync/errgroup"
	_ "golang.org/x/sync/singleflight"
	_ "golang.org/x/time/rate"
)
