# eksim in a container. With Docker's socket (see docker-compose.yml) it makes kind clusters beside itself; without, the embedded backend is all it needs.

FROM node:22-bookworm-slim AS build
WORKDIR /src
COPY . .
# The build runs as npm's own last step of an installation; what only development needs goes afterwards.
RUN npm ci && npm prune --omit=dev

FROM debian:bookworm-slim AS tools
ARG TARGETARCH=amd64
ARG KIND_VERSION=v0.33.0
ARG KUBECTL_VERSION=v1.36.2
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates curl && rm -rf /var/lib/apt/lists/*
WORKDIR /tools
# Each release names its own checksum.
RUN set -eu; \
    kind="https://github.com/kubernetes-sigs/kind/releases/download/${KIND_VERSION}/kind-linux-${TARGETARCH}"; \
    curl --fail --silent --show-error --location --output "kind-linux-${TARGETARCH}" "$kind"; \
    curl --fail --silent --show-error --location "$kind.sha256sum" | sha256sum --check -; \
    install -m 0755 "kind-linux-${TARGETARCH}" /usr/local/bin/kind
RUN set -eu; \
    kubectl="https://dl.k8s.io/release/${KUBECTL_VERSION}/bin/linux/${TARGETARCH}/kubectl"; \
    curl --fail --silent --show-error --location --output kubectl "$kubectl"; \
    echo "$(curl --fail --silent --show-error --location "$kubectl.sha256")  kubectl" | sha256sum --check -; \
    install -m 0755 kubectl /usr/local/bin/kubectl

FROM docker:28.5.2-cli AS docker

FROM node:22-bookworm-slim
COPY --from=docker /usr/local/bin/docker /usr/local/bin/docker
COPY --from=tools /usr/local/bin/kind /usr/local/bin/kubectl /usr/local/bin/
WORKDIR /app
COPY --from=build /src/package.json /src/LICENSE /src/NOTICE ./
COPY --from=build /src/node_modules node_modules
COPY --from=build /src/dist dist
COPY --from=build /src/drills drills
RUN ln -s /app/dist/cli/eksim.js /usr/local/bin/eksim
ENV NODE_ENV=production EKSIM_HOST=0.0.0.0 EKSIM_DATA_DIR=/var/lib/eksim
EXPOSE 4566
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.EKSIM_PORT || 4566}/_eksim/health`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# Root: whoever may use Docker's socket is root on its machine anyway, and the socket belongs to root.
ENTRYPOINT ["eksim"]
CMD ["start"]
