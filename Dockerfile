FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
# Scripts wait: this package's own would build sources that are not here yet, and no dependency needs its own.
RUN npm ci --ignore-scripts
COPY build.mjs tsconfig.json ./
COPY src ./src
RUN node build.mjs

FROM node:24-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --omit=dev

FROM node:24-bookworm-slim
# What the garbage collector has freed goes back to the machine at once: left to itself, the C library keeps the room that
# dumps of books took, some 60 MB of it.
ENV MALLOC_MMAP_THRESHOLD_=131072 \
    MALLOC_TRIM_THRESHOLD_=131072
# Inside a container the loopback address reaches nobody. Others may reach this one, so that it does not start without
# PARALLAX_HTTP_TOKEN; the image has none, since a secret that everybody has is none.
ENV NODE_ENV=production \
    PARALLAX_HTTP_HOST=0.0.0.0 \
    PARALLAX_DATA_DIR=/data
WORKDIR /app
RUN install -d -o node -g node /data
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json LICENSE ./
COPY configs ./configs
USER node
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PARALLAX_HTTP_PORT ?? 8080}/health/live`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "dist/main.js", "start"]
