# sprag with git and Python, for the local loop:
#   docker build -t sprag . && docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/project" sprag run --local
# An agent that needs more than that runs in an image made FROM this one.
FROM rust:1.95-slim-bookworm AS build
# The image's own toolchain, so that rust-toolchain.toml fetches nothing.
ENV RUSTUP_TOOLCHAIN=1.95.0
WORKDIR /build
COPY . .
RUN cargo build --release --locked --bin sprag

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends git python3 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /build/target/release/sprag /usr/local/bin/sprag
RUN useradd --create-home sprag
USER sprag
WORKDIR /project
ENTRYPOINT ["sprag"]
