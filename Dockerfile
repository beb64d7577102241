# eksim in a container. With Docker's socket (see docker-compose.yml) it makes kind clusters beside itself; without, the embedded backend is all it needs.
# Whoever reaches other registries and mirrors only names them: docker build --build-arg NODE_IMAGE=mirror.example/node:22-bookworm-slim ...
ARG NODE_IMAGE=node:22-bookworm-slim
# better-sqlite3 comes as a binary from its releases on GitHub; an image with a compiler (node:22-bookworm) builds it where there is none for the machine.
ARG BUILD_IMAGE=${NODE_IMAGE}
ARG TOOLS_IMAGE=debian:bookworm-slim
ARG DOCKER_IMAGE=docker:28.5.2-cli

FROM ${BUILD_IMAGE} AS modules
WORKDIR /src
# Headers are in the image: nothing is fetched from nodejs.org.
ENV npm_config_nodedir=/usr/local
COPY package.json package-lock.json .npmrc ./
# What SQLite was compiled from is not needed to run it.
RUN npm ci --omit=dev --ignore-scripts && npm rebuild better-sqlite3 \
    && cd node_modules/better-sqlite3 && rm -rf deps src && find build -type f ! -name better_sqlite3.node -delete

FROM ${BUILD_IMAGE} AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY . .
RUN npm run build && chmod +x dist/cli/eksim.js

FROM ${TOOLS_IMAGE} AS tools
ARG KIND_VERSION=v0.33.0
ARG KUBECTL_VERSION=v1.36.2
ARG KIND_URL=https://github.com/kubernetes-sigs/kind/releases/download
ARG KUBECTL_URL=https://dl.k8s.io/release
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates curl && rm -rf /var/lib/apt/lists/*
WORKDIR /tools
# Each release names its own checksum.
RUN set -eu; \
    kind="kind-linux-$(dpkg --print-architecture)"; \
    for file in "$kind" "$kind.sha256sum"; do \
        curl --fail --silent --show-error --location --retry 3 --remote-name "${KIND_URL}/${KIND_VERSION}/$file"; \
    done; \
    sha256sum --check "$kind.sha256sum"; \
    install -m 0755 "$kind" /usr/local/bin/kind
RUN set -eu; \
    from="${KUBECTL_URL}/${KUBECTL_VERSION}/bin/linux/$(dpkg --print-architecture)"; \
    for file in kubectl kubectl.sha256; do \
        curl --fail --silent --show-error --location --retry 3 --remote-name "$from/$file"; \
    done; \
    echo "$(cat kubectl.sha256)  kubectl" | sha256sum --check -; \
    install -m 0755 kubectl /usr/local/bin/kubectl

FROM ${DOCKER_IMAGE} AS docker

FROM ${NODE_IMAGE}
COPY --from=docker /usr/local/bin/docker /usr/local/bin/docker
COPY --from=tools /usr/local/bin/kind /usr/local/bin/kubectl /usr/local/bin/
WORKDIR /app
COPY --from=build /src/package.json /src/LICENSE /src/NOTICE ./
COPY --from=modules /src/node_modules node_modules
COPY --from=build /src/dist dist
COPY --from=build /src/drills drills
RUN ln -s /app/dist/cli/eksim.js /usr/local/bin/eksim && install --directory --owner=node --group=node /var/lib/eksim
# Inside a container everybody who may reach it comes from outside of it: publish its port to 127.0.0.1 alone, as docs/kind.md does.
ENV NODE_ENV=production EKSIM_HOST=0.0.0.0 EKSIM_DATA_DIR=/var/lib/eksim
EXPOSE 4566
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.EKSIM_PORT || 4566}/_eksim/health`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# Docker's socket belongs to others: whoever is to use it is given by --user or --group-add, as docker-compose.yml does.
USER node
ENTRYPOINT ["eksim"]
CMD ["start"]
