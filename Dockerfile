# Two stages: build with Rust, serve from a small image as a user without rights.
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends build-essential && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
COPY src src
COPY benches benches
RUN cargo build --release --locked --bin russet && strip target/release/russet

FROM debian:bookworm-slim
RUN useradd --system --home-dir /data --create-home russet
COPY --from=build /src/target/release/russet /usr/local/bin/russet
COPY config/russet.conf /etc/russet/russet.conf
RUN for name in redis-server redis-sentinel redis-check-rdb redis-check-aof; do ln -s russet /usr/local/bin/$name; done
USER russet
WORKDIR /data
VOLUME /data
EXPOSE 6379
ENTRYPOINT ["russet"]
CMD ["--protected-mode", "no", "--dir", "/data"]
