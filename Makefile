# `make help` lists what can be made. Whatever needs Python goes through `install` first.
# Recipes are POSIX sh and use nothing beyond make, Python and the core utilities.

.DEFAULT_GOAL := help
.PHONY: help install environment demo demo-train app test gpu clean

# The environment: the one asked for, else the active one as it is, else .venv. PYTHON alone asks for .venv,
# too: it names the interpreter that a new environment is made with.
ifneq ($(VENV)$(PYTHON),)
ENV := $(or $(VENV),.venv)
else ifneq ($(VIRTUAL_ENV)$(CONDA_PREFIX),)
ENV := $(or $(VIRTUAL_ENV),$(CONDA_PREFIX))
ACTIVE := yes
else
ENV := .venv
endif
RUN := "$(ENV)/bin/python"

# Newest first. Each is run, not only found: a version manager has shims of versions that are not installed.
PYTHONS := $(if $(PYTHON),"$(PYTHON)",python3.14 python3.13 python3.12 python3.11 python3.10 python3 python)
NEW_ENOUGH := -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null
# pip's metadata is what its installation writes last: an environment without it was never finished.
HAS_PIP := -c 'from importlib.metadata import version; version("pip")' 2>/dev/null

# The stamp lies in the environment and holds what was installed there and the version of its Python, so that
# an interrupted installation, other requirements or an exchanged Python never match it.
REQUIREMENTS := requirements.txt requirements-dev.txt requirements-visdom.txt build-constraints.txt
STAMP := "$(ENV)/.nerco-installed"
WANTED := "$$(cat $(REQUIREMENTS) && $(RUN) -V 2>&1)"
INSTALLED := [ "$$(cat $(STAMP) 2>/dev/null)" = $(WANTED) ]

# The bundled images are few and small: on a CPU they take seconds, and no driver is needed. The user's own get what
# test.py takes by default: the GPU, where there is one.
DEMO_TEST_FLAGS := --dataroot build/demo --results_dir build/results --gpu_ids -1
HAS_IMAGES := -c 'from util.image_io.finding import find_images; find_images("dataset/testA")' 2>/dev/null

# A small, hasty training: minutes on a CPU show how everything works, not how good it can become.
DEMO_TRAIN_FLAGS := --ngf 16 --ndf 16 --netG resnet_6blocks --load_size 128 --crop_size 64 \
	--lr 1e-3 --lambda_identity 3 --n_epochs 7 --n_epochs_decay 7 --save_epoch_freq 7 --print_freq 15 \
	--gpu_ids -1 --num_threads 2 --display_id 0 --no_text --checkpoints_dir build/saves

# Machines with a GPU often come with a Python that has all it takes, and install nothing.
HAS_TORCH := -c 'import torch, torchvision, skimage, tifffile, tqdm, pytest' 2>/dev/null

# Plots go into files: no target opens a window, whatever the user's own matplotlib settings say.
export MPLBACKEND := Agg

help:
	@echo 'make demo        enhance dark photographs with the weights in saves/demo, then those in dataset/testA if any'
	@echo 'make demo-train  train a small model on darkened photographs, enhance with it: 3 minutes on 2 CPU cores'
	@echo 'make app         a page on this machine to enhance images in the browser; APP_FLAGS="--port 8000" is passed on'
	@echo 'make test        check the style and run the tests; PYTEST_FLAGS="-k name" is passed on to pytest'
	@echo 'make gpu         test and measure all on a GPU, in ten minutes; GPU_FLAGS="--minutes 5" is passed on'
	@echo 'make install     only install what these need'
	@echo 'make clean       remove build/ and caches; environments, weights, results and data sets stay'
	@echo
	@echo 'The active environment is used, else .venv is made; VENV=path and PYTHON=python3.12 choose otherwise.'

ifdef ACTIVE
environment:
	@$(RUN) $(NEW_ENOUGH) && $(RUN) $(HAS_PIP) || { \
		echo "error: the active environment $(ENV) has no Python 3.10 or newer with pip:" \
			"deactivate it, or run make with VENV=.venv" >&2; \
		exit 1; }
else
environment:
	@if $(RUN) $(NEW_ENOUGH) && $(RUN) $(HAS_PIP); then exit 0; fi; \
	without_venv=; \
	for python in $(PYTHONS); do \
		"$$python" $(NEW_ENOUGH) || continue; \
		"$$python" -c 'import ensurepip, venv' 2>/dev/null || { without_venv=$$python; continue; }; \
		echo "making $(ENV) with $$("$$python" -V)"; \
		"$$python" -m venv "$(ENV)" && $(RUN) $(NEW_ENOUGH) && $(RUN) $(HAS_PIP) && exit 0; \
		echo "error: $(ENV) is not a usable environment: remove it, or run make with VENV=another-folder" >&2; \
		exit 1; \
	done; \
	if [ -n "$$without_venv" ]; then \
		echo "error: $$without_venv cannot make environments: install its venv module" \
			"(Debian and Ubuntu: apt install python3-venv)" >&2; \
	else \
		echo "error: $(if $(PYTHON),$(PYTHON) is not,no interpreter on PATH is) Python 3.10 or newer:" \
			"install one, or run make with PYTHON=/path/to/python3" >&2; \
	fi; \
	exit 1
ifneq ($(PYTHON),)
	@[ "$$("$(PYTHON)" -V 2>&1)" = "$$($(RUN) -V 2>&1)" ] || { \
		echo "error: $(ENV) has $$($(RUN) -V), not that of $(PYTHON): remove it, or choose VENV=another-folder" >&2; \
		exit 1; }
endif
endif

# How visdom's build gets its constraint: older pips read the first variable, newer ones the second; and the one
# that comes with Python 3.10 needs the flag to build apart from the setuptools that torch brings.
install: environment
	@$(INSTALLED) || { \
		echo "installing into $(ENV): some minutes and, with a CUDA build of torch, some gigabytes"; \
		$(RUN) -m pip install -r requirements.txt -r requirements-dev.txt; }
	@$(INSTALLED) || { mkdir -p build && \
		PIP_CONSTRAINT=build-constraints.txt PIP_BUILD_CONSTRAINT=build-constraints.txt \
		$(RUN) -m pip install --use-pep517 -r requirements-visdom.txt >build/visdom-install.log 2>&1; } || \
		echo "visdom could not be installed (see build/visdom-install.log): live curves are off, all else works"
	@$(INSTALLED) || printf '%s\n' $(WANTED) >$(STAMP)

demo: install
	$(RUN) -m data.demo_dataset build/demo
	$(RUN) test.py --name demo $(DEMO_TEST_FLAGS)
	@if $(RUN) $(HAS_IMAGES); then set -x; $(RUN) test.py --name demo --dataroot dataset; fi

demo-train: install
	$(RUN) -m data.demo_dataset build/demo
	rm -rf build/saves/demo_train
	$(RUN) train.py --dataroot build/demo --name demo_train $(DEMO_TRAIN_FLAGS)
	$(RUN) test.py --name demo_train --checkpoints_dir build/saves $(DEMO_TEST_FLAGS)

app: install
	@$(RUN) -c 'import gradio' 2>/dev/null || $(RUN) -m pip install -r requirements.txt -r requirements-app.txt
	$(RUN) app.py $(APP_FLAGS)

test: install
	$(RUN) -m ruff check --extend-exclude "$(ENV)" .
	$(RUN) -m ruff format --check --extend-exclude "$(ENV)" .
	$(RUN) -m pytest -n auto --maxprocesses 4 --dist loadfile $(PYTEST_FLAGS)

# A line that names $(MAKE) itself would run even under make -n.
AGAIN := $(MAKE)
gpu:
	@for python in $(RUN) python3 python; do \
		"$$python" $(HAS_TORCH) && exec "$$python" -m benchmarks.gpu $(GPU_FLAGS); \
	done; \
	$(AGAIN) install && exec $(RUN) -m benchmarks.gpu $(GPU_FLAGS)

clean:
	rm -rf build .pytest_cache .ruff_cache __pycache__ */__pycache__ */*/__pycache__ */*/*/__pycache__
