"""What stands on the pages and is not run by this test, and why."""

# Commands, by how they begin.
COMMANDS = {
    "make run": "serves until it is stopped; tests/debian.sh runs it",
    "make test": "runs this test",
    "make build/xor": "what make built is what is tested",
    "make build/digits": "what make built is what is tested",
    "make install": "writes into /usr/local; tests/install.sh runs it",
    "gcc example.c": "needs the installed library; tests/install.sh runs it",
    "gcc step.c": "needs the installed library; tests/install.sh runs it",
    "npx ": "needs npm's registry; tests/openapi-types.sh runs the same generators",
    "npm install": "needs npm's registry; tests/openapi-types.sh has its own",
    "node readme.mjs": "what npx would have made; tests/openapi-types.sh runs it",
    "docker ": "needs a daemon of Docker's",
    "systemctl ": "needs a system that runs systemd; tests/hardening.sh tries the unit's limits",
}

# Blocks of code that no command on their page runs, by their language.
BLOCKS = {
    "nginx": "tests/proxy.sh runs nginx with it",
    "redis": "tests/replicas/ tries the rights, and has Redis with settings of its own",
}

# Commands that are run where their language is installed, and what tells whether it is.
LANGUAGES = {
    "go": "go version",
    "java": "javac --version",
    "Rscript": "Rscript -e 'library(curl); library(jsonlite)'",
}
