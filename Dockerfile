# layerd in a container: docker build -t layerd . && docker run -p 8080:8080 layerd
#
# The first stage builds; the second has the daemon, the libraries that it loads, and nothing else:
# no shell, no package manager, a user without rights.
FROM docker.io/library/debian:bookworm-slim AS build
RUN apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
        --no-install-recommends gcc g++ make pkg-config libmicrohttpd-dev libjansson-dev \
        libopenblas-openmp-dev libfast-float-dev libjemalloc-dev libhiredis-dev && \
    rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Makefile ./
COPY include include
COPY lib lib
COPY server server
ARG COMMIT=unknown
RUN make -j"$(nproc)" COMMIT="$COMMIT" build/layerd && strip build/layerd && \
    mkdir -p /image/usr/bin && cp build/layerd /image/usr/bin/ && \
    ldd build/layerd | grep -o '/[^ ]*' | while read -r library; do \
        mkdir -p "/image$(dirname "$library")" && cp -L "$library" "/image$library"; \
    done

FROM scratch
COPY --from=build /image /
USER 65534:65534
# OMP_NUM_THREADS: layerd has threads of its own; OpenMP's need not be told so at each product
ENV LAYERD_LISTEN=0.0.0.0:8080 OMP_NUM_THREADS=1
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/layerd"]
