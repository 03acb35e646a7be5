/** Custom resources as users write them. Derived from crds/ by `npm run generate`; do not edit. */

/** The parts of Kubernetes' ObjectMeta that we read. */
export interface ObjectMeta {
  name: string;
  namespace?: string;
  uid?: string;
  generation?: number;
  resourceVersion?: string;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  [key: string]: unknown;
}

/**
 * StreamProxy declares where LLM traffic of the annotated pods of its namespace goes: upstreams, routes and logging targets. A pod with the annotation `sluice.dev/inject: <name>` gets a sidecar that executes it.
 */
export interface StreamProxy {
  /**
   * Always sluice.dev/v1alpha1.
   */
  apiVersion?: string;
  /**
   * Always StreamProxy.
   */
  kind?: string;
  metadata: ObjectMeta;
  /**
   * What the sidecars shall do.
   */
  spec: {
    /**
     * The loopback listener that the pod's own containers use.
     */
    listen?: {
      /**
       * Port on 127.0.0.1 of the pod. A change reaches new pods only, as a running pod's environment names the old one.
       */
      port?: number;
    };
    /**
     * The listener on the pod's address, for the scraper, the kubelet and the operator alone.
     */
    metrics?: {
      /**
       * Port on the pod's address that serves /metrics, /healthz, /readyz and /revision, and nothing else. A change reaches new pods only.
       */
      port?: number;
    };
    /**
     * The providers and servers that routes may use, by name.
     */
    upstreams: {
      /**
       * The name that routes, metrics and records use.
       */
      name: string;
      /**
       * The API that the upstream speaks: `anthropic` (Messages), `openai` (Chat Completions, Responses, Embeddings) or `raw` (any HTTP API, passed on and never translated).
       */
      dialect: 'anthropic' | 'openai' | 'raw';
      /**
       * Base URL. Without a path the client's path is kept; with a path that ends in /v1 the part of the client's path after /v1 is appended to it.
       */
      url: string;
      /**
       * Where the key comes from, in order; the first source that is there is used. Without any, no credentials are sent and the caller's are removed.
       */
      credentials?: {
        /**
         * The caller's own key, passed on as it came. Counts as absent when it is the placeholder or when caller and upstream speak different dialects.
         */
        client?: {};
        /**
         * A key of a Secret in the StreamProxy's namespace.
         */
        secret?: {
          /**
           * Name of the Secret.
           */
          name: string;
          /**
           * Key of the Secret's data that holds the credential.
           */
          key: string;
          /**
           * Header that carries the credential. Default: `x-api-key` for anthropic, `authorization` (as `Bearer …`) for openai and raw. Any header but authorization gets the bare value.
           */
          header?: string;
        };
      }[];
      /**
       * Four limits with four names; 0s means none.
       */
      timeouts?: {
        /**
         * Until the connection, TLS included, stands.
         */
        connect?: string;
        /**
         * From the request's last byte until the answer's headers.
         */
        firstByte?: string;
        /**
         * Longest silence inside an answer, on either side. A healthy stream of any length never trips it.
         */
        idle?: string;
        /**
         * The whole exchange; none by default, as long streams are healthy.
         */
        total?: string;
      };
      /**
       * Upstream TLS, which is always verified.
       */
      tls?: {
        /**
         * Certificate authority to trust instead of the public ones.
         */
        ca?: {
          /**
           * A PEM bundle in a Secret of the StreamProxy's namespace.
           */
          secret: {
            /**
             * Name of the Secret.
             */
            name: string;
            /**
             * Key of the Secret's data that holds the PEM bundle.
             */
            key: string;
          };
        };
      };
      /**
       * An egress HTTP proxy through which this upstream is reached (CONNECT).
       */
      proxy?: {
        /**
         * URL of the egress proxy.
         */
        url: string;
      };
    }[];
    /**
     * Ordered; the first route that matches wins. A request that matches none gets 404 in its own dialect.
     */
    routes: {
      /**
       * The name that metrics, records and conditions use.
       */
      name: string;
      /**
       * All given parts must match; a part matches when one of its entries does. Without any part the route matches every request.
       */
      match?: {
        /**
         * Exact paths, or prefixes when they end in *.
         */
        paths?: string[];
        /**
         * Model names that the client asks for; * stands for any characters.
         */
        models?: string[];
        /**
         * Values of the x-agent-name request header.
         */
        agents?: string[];
        /**
         * Request headers that must be there with one of the listed values.
         */
        headers?: {
          /**
           * Header name, in any case.
           */
          name: string;
          /**
           * Values of which one must equal the request's, exactly.
           */
          values: string[];
        }[];
      };
      /**
       * The first choice, split by weight. Blue/green is 100 and 0.
       */
      upstreams: {
        /**
         * Name of an entry of spec.upstreams.
         */
        name: string;
        /**
         * Share of the requests, relative to the other weights of the route; 0 means none.
         */
        weight?: number;
        /**
         * Replaces the model that the client asked for, and nothing else of the body.
         */
        model?: string;
      }[];
      /**
       * Keeps requests with the same header value on the same upstream of the split, so that conversations and prompt caches stay together.
       */
      sticky?: {
        /**
         * Request header whose value is the key, for example x-session-id.
         */
        header: string;
      };
      /**
       * Tried in this order when the first choice fails before its first content.
       */
      fallback?: {
        /**
         * Name of an entry of spec.upstreams.
         */
        name: string;
        /**
         * Replaces the model that the client asked for.
         */
        model?: string;
      }[];
      /**
       * Further tries at the same upstream, before the first content only. Off unless asked for.
       */
      retry?: {
        /**
         * Tries at each upstream, the first included.
         */
        attemptsPerUpstream?: number;
        /**
         * Bounds the whole chain of tries, fallbacks included.
         */
        within?: string;
      };
    }[];
    /**
     * What is recorded of each exchange, and where the records go.
     */
    logging?: {
      /**
       * What a record holds. Credential headers are always removed; that is no setting.
       */
      capture?: {
        /**
         * Bytes kept of each body; what exceeds is cut and marked. 0 keeps no bodies.
         */
        maxBodyBytes?: number | string;
        /**
         * What is removed from a record before it is written.
         */
        redact?: {
          /**
           * Header whose value is replaced.
           */
          header?: string;
          /**
           * Path into a JSON body whose value is replaced, such as $.metadata.user_id; [*] stands for every element.
           */
          jsonPath?: string;
          /**
           * Regular expression (RE2) whose matches in bodies are replaced.
           */
          pattern?: string;
        }[];
      };
      /**
       * Where records wait for their targets.
       */
      spool?: {
        /**
         * Most bytes that waiting records may take; beyond it the oldest are dropped and counted.
         */
        maxBytes?: number | string;
      };
      /**
       * Where records go; each target gets every record.
       */
      targets?: {
        /**
         * The name that metrics and conditions use.
         */
        name: string;
        /**
         * One JSON line a record on the sidecar's standard output. This puts conversations into pod logs.
         */
        stdout?: {};
        /**
         * One JSON line a record appended to a file below the state directory.
         */
        file?: {
          /**
           * Relative path below the state directory, for example records.ndjson.
           */
          path: string;
          /**
           * Size at which the file is rotated; one earlier file is kept as <path>.1.
           */
          maxBytes?: number | string;
        };
        /**
         * Records POSTed as newline-delimited JSON.
         */
        http?: {
          /**
           * Where batches are sent.
           */
          url: string;
        };
        /**
         * Records inserted into a PostgreSQL table.
         */
        postgres?: {
          /**
           * Connection string.
           */
          dsn: {
            /**
             * A key of a Secret in the StreamProxy's namespace.
             */
            secret: {
              /**
               * Name of the Secret.
               */
              name: string;
              /**
               * Key of the Secret's data that holds the connection string.
               */
              key: string;
            };
          };
          /**
           * Table to insert into.
           */
          table?: string;
        };
      }[];
    };
  };
  /**
   * What the operator saw and did.
   */
  status?: {
    /**
     * The generation of the spec that this status speaks of.
     */
    observedGeneration?: number;
    /**
     * The revision of the config last delivered, credentials' versions included.
     */
    revision?: string;
    /**
     * How far the revision has come.
     */
    pods?: {
      /**
       * Running pods with the sidecar of this StreamProxy.
       */
      injected?: number;
      /**
       * Those that run the revision above.
       */
      current?: number;
      /**
       * Those that answered with another revision.
       */
      stale?: number;
      /**
       * Those whose metrics port did not answer.
       */
      unreachable?: number;
    };
    /**
     * Accepted, ResolvedRefs and Programmed.
     */
    conditions?: {
      /**
       * Accepted, ResolvedRefs or Programmed.
       */
      type: string;
      /**
       * Whether the condition holds.
       */
      status: 'True' | 'False' | 'Unknown';
      /**
       * The generation of the spec that this condition speaks of.
       */
      observedGeneration?: number;
      /**
       * When the status last changed.
       */
      lastTransitionTime: string;
      /**
       * One word for machines.
       */
      reason: string;
      /**
       * A full sentence for people, with the way out.
       */
      message: string;
    }[];
  };
}

/**
 * SidecarProfile holds the sidecar of the StreamProxy of the same name, ready to be copied into pods. The operator writes it; a policy refuses anybody else's writes.
 */
export interface SidecarProfile {
  /**
   * Always sluice.dev/v1alpha1.
   */
  apiVersion?: string;
  /**
   * Always SidecarProfile.
   */
  kind?: string;
  metadata: ObjectMeta;
  /**
   * The parts that injection copies.
   */
  spec: {
    /**
     * The native sidecar (an init container with restartPolicy Always), complete.
     */
    container: {
      [k: string]: unknown;
    };
    /**
     * The pod's volumes that the sidecar mounts.
     */
    volumes: {
      [k: string]: unknown;
    }[];
    /**
     * Variables for each of the pod's own containers; one that the container already has stays as it is.
     */
    env: {
      /**
       * Name of the variable.
       */
      name: string;
      /**
       * Its value.
       */
      value: string;
      /**
       * Names of other variables of which any makes this one unnecessary.
       */
      unless?: string[];
      /**
       * Stands in for a key, and so is left out of containers that take variables from elsewhere (envFrom).
       */
      placeholder?: boolean;
    }[];
    /**
     * What is appended to NO_PROXY and no_proxy of each container, comma-separated.
     */
    noProxy: string;
  };
}

