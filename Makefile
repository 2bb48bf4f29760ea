# layerd: `make help` lists what can be made.
#
# Variables: CC (aarch64-linux-gnu-gcc to cross-compile), CXX, SAN=address,undefined (or thread),
# WERROR=-Werror (as `make check` has it), V=1 (to see the commands), PREFIX, DESTDIR, BLAS_LIBS (any
# CBLAS in the place of OpenBLAS), JEMALLOC (nothing: the C library's malloc), RUN=qemu-aarch64 (runs
# what was built); CPPFLAGS, CFLAGS, CXXFLAGS and LDFLAGS add to what is here.

.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules
.SECONDARY: # objects of targets found by a pattern stay
SHELL := /bin/bash

CC := $(if $(filter default,$(origin CC)),gcc,$(CC))
CXX := $(if $(filter default,$(origin CXX)),$(subst clang,clang++,$(subst gcc,g++,$(CC))),$(CXX))
PREFIX ?= /usr/local
PYTHON := /usr/bin/python3

VERSION := $(shell sed -n 's/.*LAYERS_VERSION "\(.*\)"/\1/p' include/layers/layers.h)
SONAME := liblayers.so.$(firstword $(subst ., ,$(VERSION)))
COMMIT := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)

Q := $(if $(V),,@)

# Flags decide the folder: builds of different kinds never mix.
comma := ,
space := $(subst ,, )
B := build$(if $(WERROR),/strict)$(if $(filter-out gcc,$(CC)),/$(subst $(space),-,$(subst =,-,$(notdir $(CC)))))$(if $(SAN),/san-$(subst $(comma),-,$(SAN)))

# clang says so by -print-multiarch until 14
MULTIARCH := $(strip $(or $(shell $(CC) -print-multiarch 2>/dev/null), \
    $(shell $(CC) -dumpmachine | sed 's/-[a-z]*-linux-/-linux-/')))
tool = $(shell $(CC) -print-prog-name=$(1))
# The OpenMP build: the serial one has no lock on its buffers and computes wrongly when several
# threads call it at once; the pthread one makes callers wait for each other.
BLAS_DIR := /usr/lib/$(MULTIARCH)/openblas-openmp
BLAS_CFLAGS ?= -I/usr/include/$(MULTIARCH)/openblas-openmp
BLAS_LIBS ?= $(BLAS_DIR)/libopenblas.a -lgomp
BLAS_SHARED ?= -L$(BLAS_DIR) -lopenblas
BLAS_STATIC ?= $(BLAS_SHARED) -lgomp

WARNINGS := -Wall -Wextra -Wvla -Wpointer-arith -Wwrite-strings $(WERROR) \
            $(if $(and $(SAN),$(findstring clang,$(CC))),-Wno-pass-failed)
# clang 14 has no -fstack-clash-protection but for x86, and says so of every file.
HARDEN := -fPIC -fstack-protector-strong -fstack-clash-protection \
          $(if $(filter x86_64-%,$(MULTIARCH)),-fcf-protection, \
              $(if $(findstring clang,$(CC)),-Wno-unused-command-line-argument)) \
          $(if $(SAN),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
HARDEN_LINK := -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code
SANITIZE := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
BASE = -g -D_GNU_SOURCE -fvisibility=hidden -MMD -MP $(WARNINGS) $(HARDEN) $(SANITIZE) $(DEFINES) $(CPPFLAGS)
# No fast-math: NaN and the order of sums are part of the contract. No contraction to FMA either:
# the same bytes on every machine. errno of math functions is not looked at.
CFLAGS_LIB := -O3 -ffp-contract=off -fno-math-errno -fno-trapping-math
CFLAGS_SERVER := -O2
LINK := $(SANITIZE) -pie $(HARDEN_LINK) -Wl,--as-needed $(LDFLAGS)
INCLUDES := -Iinclude -Ilib -Iserver -Iclients/c -Itests $(BLAS_CFLAGS)

LIB_SRC := $(wildcard lib/*.c lib/layers/*.c lib/convolution/*.c lib/graph/*.c lib/checks/*.c lib/answers/*.c)
SERVER_SRC := $(sort $(shell find server -name "*.c" -o -name "*.cc"))
WEB := server/documents/web
CLIENT_SRC := $(wildcard clients/c/*.c)
UNIT_SRC := $(wildcard tests/unit/*.c tests/unit/*/*.c)
HTTP_SRC := $(wildcard tests/http/*.c tests/http/*/*.c)
TEST_SRC := $(wildcard tests/common/*.c)
FUZZ_TARGETS := access cache check graph inflow json number requests routes safetensors
obj = $(patsubst %.cc,$(B)/%.o,$(patsubst %.c,$(B)/%.o,$(1)))
LIB_OBJ := $(call obj,$(LIB_SRC))
SERVER_OBJ := $(call obj,$(SERVER_SRC)) $(B)/$(WEB)/page.o
CLIENT_OBJ := $(call obj,$(CLIENT_SRC))
UNIT_OBJ := $(call obj,$(UNIT_SRC) $(TEST_SRC))
HTTP_OBJ := $(call obj,$(HTTP_SRC) $(TEST_SRC))

# With libFuzzer, which has a main, where the build is made for it; with one that replays files else.
FUZZER := $(findstring fuzzer,$(SAN))
FUZZ_OBJ := $(call obj,tests/fuzz/fuzz.c tests/fuzz/exchange.c tests/unit/server/serving.c $(if $(FUZZER),,tests/fuzz/replay.c))

# Of jemalloc see server/main.c. Linked in it needs no libstdc++ beside it, which takes a fifth of the
# time that a start takes.
JEMALLOC ?= -l:libjemalloc_pic.a
SERVER_LIBS := -lmicrohttpd -ljansson -lgnutls -l:libhiredis.a -lpthread -lm
CLIENT_LIBS := -lcurl -ljansson -lm

PACKAGES := gcc g++ make pkg-config libmicrohttpd-dev libjansson-dev libopenblas-openmp-dev \
            libfast-float-dev libjemalloc-dev libhiredis-dev
PACKAGES_TESTS := $(PACKAGES) libcurl4-openssl-dev libcriterion-dev redis-server
PACKAGES_REPLICAS := $(PACKAGES) redis-server redis-sentinel haproxy python3
PACKAGES_TEST := $(PACKAGES_TESTS) redis-sentinel haproxy docker-compose python3-yaml curl binutils python3-numpy \
                 python3-venv python3-setuptools python3-wheel \
                 python3-prometheus-client python3-jsonschema man-db mandoc chromium nginx-light openssl
# Node 18 and later has the test runner that the JavaScript client's tests need.
PACKAGES_NODE = $(if $(shell node -p 'parseInt(process.version.slice(1)) >= 18 || ""' 2>/dev/null),,nodejs)
PACKAGES_FUZZ := $(PACKAGES) clang libclang-rt-dev
PACKAGES_MEMCHECK := $(PACKAGES_TEST) valgrind
PACKAGES_CHECK := $(PACKAGES_TEST) clang clang-format clang-tidy cppcheck

##@ Use

.PHONY: run
run: ## install what is missing, build, and serve on 127.0.0.1:8080
	@$(call install,$(PACKAGES))
	@$(MAKE) --no-print-directory $(PARALLEL) $(B)/layerd
	OMP_NUM_THREADS=1 $(B)/layerd

# Several tests at once lose 48 bytes now and then, which are Criterion's (2.4.1). LeakSanitizer could
# only be told to pass over all that is called by it, and it calls the tests.
ALONE = $(if $(SAN),-j1)

.PHONY: test
ifeq ($(SAN),thread)
# Criterion does not start under ThreadSanitizer: ordinary tests drive a daemon that is. Nor can such
# a daemon be starved of memory, or give all of it back.
test: ## install what is missing, build, and pass every test
	@$(call install,$(PACKAGES_TEST))
	@$(MAKE) --no-print-directory $(PARALLEL) $(B)/layerd
	@$(MAKE) --no-print-directory $(PARALLEL) SAN= tests
	$(call leakless,LAYERD=$(B)/layerd $(dir $(B))http-tests --filter '!(memory)/*')
	SLACK_MIB=500 tests/chaos.sh $(B)/layerd
else
test:
	@$(call install,$(PACKAGES_TEST) $(PACKAGES_NODE))
	@$(MAKE) --no-print-directory $(PARALLEL) tests
	$(call leakless,$(B)/unit-tests $(ALONE))
	$(call leakless,LAYERD=$(B)/layerd $(B)/http-tests $(ALONE))
	$(call leakless,for t in $(FUZZ_TARGETS); do $(B)/fuzz/$$t tests/fuzz/corpus/$$t/* || exit 1; done)
	tests/digits.sh $(B)/layerd $(B)/digits $(B)/xor
	tests/checks.sh $(B)/layerd $(PYTHON)
	tests/clients-python.sh $(B)/layerd $(PYTHON)
	tests/clients-javascript.sh $(B)/layerd
	tests/metrics.sh $(B)/layerd $(B)
	$(if $(SAN),SLACK_MIB=500 )tests/chaos.sh $(B)/layerd # sanitizers keep what was freed
	tests/callers.sh $(B)/layerd
	$(if $(SAN),,$(PYTHON) -B tests/replicas/run.py $(B)/layerd)
	tests/openapi.sh $(B)/layerd
	tests/readme.sh $(B)/layerd
	$(if $(SAN),,tests/openapi-types.sh $(B)/layerd)
	tests/page.sh $(B)/layerd
	$(if $(SAN),,tests/install.sh)
	$(if $(SAN),,tests/hardening.sh $(B))
endif

.PHONY: all
all: $(B)/liblayers.a $(B)/liblayers.so $(B)/layerd $(B)/layerd.1 ## build the library and the daemon

.PHONY: install
install: all ## install both, with PREFIX= and DESTDIR=
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/pkgconfig \
	    $(DESTDIR)$(PREFIX)/include/layers $(DESTDIR)$(PREFIX)/lib/systemd/system \
	    $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 755 $(B)/layerd $(DESTDIR)$(PREFIX)/bin/
	install -m 644 $(B)/layerd.1 $(DESTDIR)$(PREFIX)/share/man/man1/
	install -m 644 include/layers/*.h $(DESTDIR)$(PREFIX)/include/layers/
	install -m 644 $(B)/liblayers.a $(DESTDIR)$(PREFIX)/lib/
	install -m 755 $(B)/$(SONAME) $(DESTDIR)$(PREFIX)/lib/liblayers.so.$(VERSION)
	ln -sf liblayers.so.$(VERSION) $(DESTDIR)$(PREFIX)/lib/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(PREFIX)/lib/liblayers.so
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' -e 's|@BLAS@|$(BLAS_STATIC)|' \
	    lib/layers.pc.in > $(DESTDIR)$(PREFIX)/lib/pkgconfig/layers.pc
	sed -e 's|@PREFIX@|$(PREFIX)|' server/deploy/layerd.service \
	    > $(DESTDIR)$(PREFIX)/lib/systemd/system/layerd.service
	sed -e 's|@PREFIX@|$(PREFIX)|' -f server/deploy/replica.sed server/deploy/layerd.service \
	    > $(DESTDIR)$(PREFIX)/lib/systemd/system/layerd@.service
	$(if $(DESTDIR),,$(tell_loader))

# Has the loader look for the library, where the folder is one of its own (/usr/lib is /lib to it).
define tell_loader
@PATH=$$PATH:/sbin; if [ "$$(id -u)" = 0 ] && \
    ldconfig -NXv 2>/dev/null | grep -qE '^($(PREFIX)|$(PREFIX:/usr=))/lib:'; then ldconfig; fi
endef

.PHONY: replicas
replicas: ## three daemons that share a Redis, behind HAProxy on 127.0.0.1:8080, until Ctrl-C
	@$(call install,$(PACKAGES_REPLICAS))
	@$(MAKE) --no-print-directory $(PARALLEL) $(B)/layerd
	@$(PYTHON) -B tests/replicas/serve.py $(B)/layerd

##@ Work on it

.PHONY: tests
tests: all $(B)/unit-tests $(B)/http-tests $(B)/digits $(B)/xor $(B)/starved $(B)/confine.so $(B)/clock.so $(FUZZ_TARGETS:%=$(B)/fuzz/%) ## build the tests

FUZZ_SECONDS ?= 60
.PHONY: fuzz
fuzz: ## look for inputs that break it, FUZZ_SECONDS=60 for each target; TARGETS="json number"
	@$(call install,$(PACKAGES_FUZZ))
	@for target in $(or $(TARGETS),$(FUZZ_TARGETS)); do \
	    $(MAKE) --no-print-directory CC=clang WERROR= SAN=address,undefined,fuzzer-no-link \
	        build/clang/san-address-undefined-fuzzer-no-link/fuzz/$$target && \
	    tests/fuzz/run build/clang/san-address-undefined-fuzzer-no-link/fuzz/$$target \
	        $(FUZZ_SECONDS) || exit 1; \
	done

.PHONY: memcheck
memcheck: ## pass the vectors with the daemon under valgrind
	@$(call install,$(PACKAGES_MEMCHECK))
	@$(MAKE) --no-print-directory $(PARALLEL) tests
	tests/memcheck.sh $(B)

.PHONY: check
check: ## formatting, static analysis, and warnings of gcc and clang as errors
	@$(call install,$(PACKAGES_CHECK))
	@tests/check.sh

.PHONY: format
format: ## format the sources in place
	clang-format -i $$(git ls-files '*.c' '*.h' '*.cc')

.PHONY: vectors
vectors: ## make the test vectors again, with Debian's NumPy
	@$(call install,python3-numpy)
	$(PYTHON) tests/vectors/make_vectors.py
	$(PYTHON) tests/vectors/make_accuracy.py

.PHONY: bench
bench: ## measure beside peers and floors; PARTS="memory kernels" only these, LAYERS="conv" only its kernels
	@$(call install,$(PACKAGES))
	@$(MAKE) --no-print-directory $(PARALLEL) all
	@B=$(B) CC=$(CC) CXX=$(CXX) BLAS_CFLAGS="$(BLAS_CFLAGS)" BLAS_LIBS="$(BLAS_LIBS)" \
	    LAYERS="$(LAYERS)" tests/bench/run $(PARTS)

.PHONY: soak
soak: all ## load for MINUTES=60, and what the daemon takes over time
	$(PYTHON) -B tests/chaos/soak.py $(B)/layerd $(or $(MINUTES),60)

.PHONY: attacks
attacks: ## slow headers, slow bodies, slow reading and ranges, with slowhttptest
	@$(call install,$(PACKAGES) slowhttptest)
	@$(MAKE) --no-print-directory $(B)/layerd
	$(PYTHON) -B tests/chaos/slow.py $(B)/layerd $(SECONDS)

.PHONY: packages
packages: ## the Debian packages that building the tests takes
	@echo $(PACKAGES_TESTS)

.PHONY: clean
clean: ## remove everything that was built
	rm -rf build

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^##@/ { printf "\n%s\n", substr($$0, 5) } \
	    /^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "Variables: CC=clang, SAN=address,undefined or SAN=thread, PREFIX=, DESTDIR="

# Runs tests. A leak that a sanitizer finds does not fail the test that has it: the output does.
leakless = $(if $(SAN),set -o pipefail; $(1) 2>&1 | tee $(B)/tests.log && \
    ! grep -E 'LeakSanitizer|runtime error' $(B)/tests.log,$(1))

# On all processors, unless it was said on how many.
PARALLEL = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc))

# Installs the packages that are missing, and says so, a dot for each step; does nothing where none is.
define install
missing=$$(for p in $(1); do dpkg-query -W -f='$${Status}' $$p 2>/dev/null | \
    grep -q 'ok installed' || echo $$p; done); \
if [ -n "$$missing" ]; then \
    sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
    echo "installing" $$missing; \
    log=$$(mktemp) && set -o pipefail && \
    { $$sudo apt-get update -q && $$sudo env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y -q --no-install-recommends $$missing; } 2>&1 | tee $$log | \
        { while read -r step _; do case $$step in Get:*|Unpacking|Setting) printf .; esac; done; \
          echo; } || \
        { cat $$log; exit 1; }; \
    rm -f $$log; \
fi
endef

$(B)/%.o: %.c
	@echo "  compile  $<"
	@mkdir -p $(@D)
	$(Q)$(CC) -std=c17 $(BASE) $(if $(filter lib/%,$<),$(CFLAGS_LIB),$(CFLAGS_SERVER)) $(INCLUDES) $(CFLAGS_FILE) $(CFLAGS) -c $< -o $@

# The products that a convolution is made of are rounded as a BLAS's are, as the processor does best.
$(B)/lib/convolution/tile.o: CFLAGS_FILE := -ffp-contract=fast

$(B)/%.o: %.cc
	@echo "  compile  $<"
	@mkdir -p $(@D)
	$(Q)$(CXX) -std=c++17 -fno-exceptions -fno-rtti -O3 -DNDEBUG $(BASE) $(INCLUDES) $(CXXFLAGS) -c $< -o $@

$(B)/server/base/version.o: $(wildcard .git/HEAD .git/refs/heads/*)
$(B)/server/base/version.o: DEFINES = -DLAYERD_COMMIT='"$(COMMIT)"'

# The page is one document: index.html with its parts in it, and the policy that allows these alone.
$(B)/$(WEB)/page.html: $(WEB)/join.sh $(wildcard $(WEB)/*.html $(WEB)/*.css $(WEB)/*.js $(WEB)/*.json)
	@echo "  make     $@"
	@mkdir -p $(@D)
	$(Q)$(WEB)/join.sh $(WEB)/index.html $@ $(@D)/policy.txt

$(B)/$(WEB)/page.o: $(WEB)/page.S $(B)/$(WEB)/page.html
	@echo "  compile  $<"
	$(Q)$(CC) -I$(@D) -I$(WEB) -c $< -o $@

# One object whose internal names are local: a program that links it may have a relu_forward too.
$(B)/liblayers.a: $(LIB_OBJ)
	@echo "  link     $@"
	$(Q)rm -f $@
	$(Q)$(call tool,ld) -r -o $(B)/liblayers.o $^
	$(Q)$(call tool,objcopy) --localize-hidden $(B)/liblayers.o
	$(Q)$(call tool,ar) rcs $@ $(B)/liblayers.o

$(B)/$(SONAME): $(LIB_OBJ)
	@echo "  link     $@"
	$(Q)$(CC) $(SANITIZE) -shared -Wl,-soname,$(SONAME) $(HARDEN_LINK) $(LDFLAGS) -o $@ $^ $(BLAS_SHARED) -lm

$(B)/liblayers.so: $(B)/$(SONAME)
	@echo "  link     $@"
	$(Q)ln -sf $(SONAME) $@

$(B)/layerd: $(SERVER_OBJ) $(B)/liblayers.a
	@echo "  link     $@"
	$(Q)$(CC) $(LINK) -Wl,-u,openblas_get_config -o $@ $^ $(BLAS_LIBS) $(if $(SAN),,$(JEMALLOC)) $(SERVER_LIBS)

# Its allocations can be made to fail.
$(B)/starved: $(SERVER_OBJ) $(B)/tests/starved/malloc.o $(B)/liblayers.a
	@echo "  link     $@"
	$(Q)$(CC) $(LINK) -o $@ $^ $(BLAS_LIBS) $(SERVER_LIBS)

# The options are those of --help.
$(B)/layerd.1: server/deploy/manual.awk server/deploy/layerd.1.in $(B)/layerd
	@echo "  make     $@"
	$(Q)$(RUN) $(B)/layerd --help | awk -f server/deploy/manual.awk - server/deploy/layerd.1.in > $@

$(B)/digits: $(call obj,$(addprefix clients/c/examples/,digits.c images.c network.c)) $(CLIENT_OBJ)
	@echo "  link     $@"
	$(Q)$(CC) $(LINK) -o $@ $^ $(CLIENT_LIBS)

$(B)/xor: $(B)/clients/c/examples/xor.o $(CLIENT_OBJ)
	@echo "  link     $@"
	$(Q)$(CC) $(LINK) -o $@ $^ $(CLIENT_LIBS)

# From the library's objects: the tiles of other processors than this one are tested by themselves.
$(B)/unit-tests: $(UNIT_OBJ) $(filter-out $(B)/server/main.o,$(SERVER_OBJ)) $(LIB_OBJ)
	@echo "  link     $@"
	@mkdir -p $(@D)
	$(Q)$(CC) $(LINK) -o $@ $^ -lcriterion $(BLAS_LIBS) $(SERVER_LIBS)

$(B)/http-tests: $(HTTP_OBJ) $(CLIENT_OBJ)
	@echo "  link     $@"
	@mkdir -p $(@D)
	$(Q)$(CC) $(LINK) -o $@ $^ -lcriterion $(CLIENT_LIBS) -lpthread

# From the library's objects: in liblayers.a the marks of coverage would be cut from their tables.
$(B)/fuzz/%: $(B)/tests/fuzz/%.o $(FUZZ_OBJ) $(filter-out $(B)/server/main.o,$(SERVER_OBJ)) $(LIB_OBJ)
	@echo "  link     $@"
	@mkdir -p $(@D)
	$(Q)$(CC) $(LINK) $(if $(FUZZER),-fsanitize=fuzzer) -o $@ $^ $(BLAS_LIBS) $(SERVER_LIBS)

$(B)/fuzz/graph: $(call obj,$(wildcard tests/fuzz/graph_*.c))

# Without a sanitizer: they go into a daemon that may have one.
$(B)/%.so: tests/preload/%.c
	@echo "  link     $@"
	@mkdir -p $(@D)
	$(Q)$(CC) -std=c17 -D_GNU_SOURCE -O2 $(WARNINGS) -fPIC -shared -o $@ $<

-include $(shell find $(B) -name '*.d' 2>/dev/null)
