# sprag alone, for looking at issues, traces and pull requests anywhere:
#   docker build -t sprag . && docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/project" sprag --help
# It has no interpreter and no shell. An agent that sprag is to run needs an image of its own, with its toolchain, and the program from this one:
#   COPY --from=sprag /usr/local/bin/sprag /usr/local/bin/sprag
FROM rust:1.95-slim-bookworm AS build
# The image's own toolchain, so that rust-toolchain.toml fetches nothing.
ENV RUSTUP_TOOLCHAIN=1.95.0
# What OpenSSL's build scripts are written in; OpenSSL is part of libgit2's https.
RUN apt-get update \
    && apt-get install -y --no-install-recommends make perl \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .
# Linked statically, C library and all, so that the image needs no distribution. Naming the target keeps the flag from build scripts and macros,
# which cannot be linked that way.
RUN host="$(rustc -vV | sed -n 's/^host: //p')" \
    && RUSTFLAGS="-C target-feature=+crt-static" CARGO_PROFILE_RELEASE_STRIP=symbols \
       cargo build --release --locked --bin sprag --target "$host" \
    && install -D "target/$host/release/sprag" /out/usr/local/bin/sprag \
    && install -D -m 0644 /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ca-certificates.crt \
    && install -d -m 1777 /out/tmp \
    && install -d -m 0777 /out/project

FROM scratch
COPY --from=build /out/ /
ENV PATH=/usr/local/bin HOME=/tmp SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
# A number, so that a cluster can see without a user list that it is not root.
USER 65532:65532
WORKDIR /project
ENTRYPOINT ["sprag"]
