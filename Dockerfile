# The program alone: a static binary, no shell, no user but the one it runs as. docs/operations.md says how to run it.
FROM golang:1.26.8-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
# With .git, from which the Go tool stamps the commit that "tweiledger version" shows.
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o /tweiledger ./cmd/tweiledger
# A new volume takes its owner and mode from the folder that it is mounted over.
RUN install -d -m 0750 /state /state/data /state/tokens /state/scrape

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build --chown=65532:65532 /state/ /var/lib/tweiledger/
COPY --from=build /tweiledger /usr/local/bin/
USER 65532:65532
ENV TWEILEDGER_DATA=/var/lib/tweiledger/data
EXPOSE 8080
# SIGTERM answers what was accepted, which takes at most 10 s.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/tweiledger"]
CMD ["serve"]
