# The image for those who have a container engine; `npm run image` builds the same without one (scripts/image).
# One image, two commands: `operator` and `proxy`.

FROM node:26.10.0-bookworm AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
# Only esbuild needs its install script: the `node` package is not wanted here, as this image has Node.
RUN npm ci --ignore-scripts && npm rebuild esbuild
COPY contract contract
COPY proxy proxy
COPY operator operator
COPY scripts/image scripts/image
RUN node scripts/image/write-bundle.ts /root-fs/app
COPY LICENSE /root-fs/app/
# Node, the libraries that it names, two users, and nothing else: no shell, no package manager.
RUN for file in /usr/local/bin/node $(ldd /usr/local/bin/node | grep -o '/[^ ]*'); do install -D "$file" "/root-fs$file"; done \
 && mkdir -m 1777 /root-fs/tmp && mkdir /root-fs/etc \
 && printf 'root:x:0:0::/nonexistent:/sbin/nologin\noperator:x:65532:65532::/nonexistent:/sbin/nologin\nsluice:x:64019:64019::/nonexistent:/sbin/nologin\n' > /root-fs/etc/passwd \
 && printf 'hosts: files dns\n' > /root-fs/etc/nsswitch.conf

FROM scratch
COPY --from=build /root-fs /
ENV PATH=/usr/local/bin NODE_ENV=production
WORKDIR /app
# The sidecar's own user; the chart runs the operator as 65532.
USER 64019:64019
ENTRYPOINT ["/usr/local/bin/node", "--single-threaded-gc", "--max-semi-space-size=16", "--heap-growing-percent=100", "/app/main.mjs"]
