#!/bin/sh
# `command` of an environment in docs/environments.yaml: command: [sh, kubernetes/put.sh]
# Builds the image of the artefact, pushes it under its hash, and lets the overlay of the environment run it.
set -eu
image="${IMAGE:?set IMAGE to the address of the image in your registry, such as registry.example.com/service}"
buildah bud --quiet --file "$DEPLOY_FOLDER/environments/images/service.Containerfile" \
    --build-arg "ARTEFACT=$DEPLOY_DIGEST" --tag "$image:$DEPLOY_DIGEST" "$DEPLOY_FOLDER"
buildah push --quiet "$image:$DEPLOY_DIGEST"
kubectl kustomize "kubernetes/overlays/$DEPLOY_ENVIRONMENT" |
    sed "s#image: .*/service:.*#image: $image:$DEPLOY_DIGEST#" | kubectl apply --filename -
kubectl rollout status deployment/service --namespace "$DEPLOY_ENVIRONMENT" --timeout=10m ||
    { kubectl rollout undo deployment/service --namespace "$DEPLOY_ENVIRONMENT"; exit 1; }
