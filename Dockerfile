# The page's players come from npm at exact versions; without this stage the page plays through the browser's own HLS.
FROM node:22.21.1-bookworm-slim AS page
WORKDIR /src
COPY server/page server/page
RUN server/page/vendor.sh

FROM golang:1.26.8-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
COPY --from=page /src/server/page/vendor server/page/vendor
RUN CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /moqpack ./cmd/moqpack && mkdir /data

# Nothing but certificates, time zones and the binary: no shell, no root.
FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /moqpack /moqpack
# A volume that is mounted here belongs to whom it belonged to in the image.
COPY --from=build --chown=65532:65532 /data /var/lib/moqpack
USER 65532:65532
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=4s --start-period=10s CMD ["/moqpack", "health", "http://127.0.0.1:8080/healthz"]
ENTRYPOINT ["/moqpack"]
CMD ["demo", "--http", ":8080"]
